// A primary process and two workers.
const cluster = require("node:cluster");
if (cluster.isPrimary) {
  cluster.fork();
  cluster.fork();
}
setTimeout(() => process.exit(), 60_000);
