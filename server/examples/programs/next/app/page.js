// A Next.js application. `next start` starts the server in a process of its own and drops `--max-old-space-size`.
//
//   npm run build && heapbeat run --limit 512MB -- npm start

export const dynamic = "force-dynamic";

export default function Page() {
  return <p>hello world from process {process.pid}</p>;
}
