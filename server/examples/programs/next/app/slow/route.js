export async function GET(request) {
  const ms = Number(new URL(request.url).searchParams.get("ms") ?? 200);
  await new Promise((resolve) => setTimeout(resolve, ms));
  return Response.json({ slow: true });
}
