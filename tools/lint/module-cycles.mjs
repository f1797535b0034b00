// Fails if the top-level modules of a crate depend on each other in a circle, and lists the dependencies of each circle.

import { fail, logNote } from "../log.mjs";
import { findCycles, readModuleGraph } from "./module-graph.mjs";

/** Root files of the crates. */
const CRATES = [
  "shared/src/lib.rs",
  "shared/forecast/src/lib.rs",
  "shared/forecast/simulation/src/lib.rs",
  "shared/monitors/src/lib.rs",
  "server/src/lib.rs",
  "server/agents/src/lib.rs",
  "server/connection/src/lib.rs",
  "server/pprof/src/lib.rs",
  "server/cli/src/main.rs",
  "server/convert/src/lib.rs",
  "server/front/src/lib.rs",
  "server/test-support/src/lib.rs",
  "server/labeled-runs/src/lib.rs",
  "edge/src/lib.rs",
];

let circles = 0;
for (const root of CRATES) {
  for (const { group, edges } of findCycles(readModuleGraph(root))) {
    logNote(`${root}: these modules depend on each other: ${group.join(", ")}`);
    for (const edge of edges) logNote(`  ${edge}`);
    circles += 1;
  }
}
if (circles > 0) fail("circles between modules; see above");
