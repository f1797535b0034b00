// nginx as a reverse proxy with kept connections: what passing requests on costs at least.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort } from "../../tests/e2e/support/target.mjs";

const CONFIGURATION = (/** @type {string} */ folder, /** @type {number} */ port, /** @type {number} */ upstream) => `
worker_processes 1;
daemon off;
pid ${folder}/pid;
error_log /dev/null;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path ${folder};
  proxy_temp_path ${folder};
  fastcgi_temp_path ${folder};
  uwsgi_temp_path ${folder};
  scgi_temp_path ${folder};
  upstream program { server 127.0.0.1:${upstream}; keepalive 512; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://program;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`;

/** Starts nginx in front of a port; undefined if it is not installed. @param {number} upstream */
export async function startNginx(upstream) {
  const version = /nginx\/([\d.]+)/.exec(spawnSync("nginx", ["-v"], { encoding: "utf8" }).stderr ?? "")?.[1];
  if (!version) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "heapbeat-nginx-"));
  const port = await findFreePort();
  const file = join(folder, "nginx.conf");
  writeFileSync(file, CONFIGURATION(folder, port, upstream));
  const child = spawn("nginx", ["-c", file], { stdio: "ignore" });
  process.once("exit", () => child.kill());
  return {
    name: `nginx ${version}`,
    port,
    stop: async () => {
      const ended = once(child, "exit");
      child.kill();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
