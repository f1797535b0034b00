// Server-sent events: one every 100 ms, and one that says that the stream is complete.
export async function GET(request) {
  let left = Number(new URL(request.url).searchParams.get("seconds") ?? 5) * 10;
  const encoder = new TextEncoder();
  const body = new ReadableStream({
    async pull(controller) {
      if (left === 0) {
        controller.enqueue(encoder.encode("data: end\n\n"));
        controller.close();
        return;
      }
      controller.enqueue(encoder.encode(`data: ${left}\n\n`));
      left -= 1;
      await new Promise((resolve) => setTimeout(resolve, 100));
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}
