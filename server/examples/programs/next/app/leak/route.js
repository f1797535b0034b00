/** What `/leak` keeps for ever: numbers on the JavaScript heap. */
const kept = [];

export async function GET(request) {
  const kb = Number(new URL(request.url).searchParams.get("kb") ?? 100);
  kept.push(new Array(kb * 128).fill(Math.random()));
  return Response.json({ kept: kept.length });
}
