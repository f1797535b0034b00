// Makes garbage that survives young collections, and drops it.
let kept = Array.from({ length: 200_000 }, (_, i) => ({ id: i, values: new Array(24).fill(i + 0.5) }));
setTimeout(() => {
  kept = [];
}, 600);
setTimeout(() => kept, 60_000);
