// Words and fragments that must not come back, with what to write instead.

/** @type {[RegExp, string][]} */
const RETIRED = [
  [/\/\/[/!] (?:Whose|Whoever)\b/, "begin the sentence with its subject"],
  [/\bis none of\b/, "name the expected values"],
  [/\bas (?:it|they) (?:has|have) it\b/, "name the source: `of RFC 3339`, `as in Gatus`"],
  [/\bfn look\b|\blet look = \|/, "name what the function reads or checks"],
  [/\b[Ff]resh worker\b/, "write `replacement worker`"],
  [/\bHEAPBEAT_WATCHER|\bedge_watch\b|\b[Tt]he watcher\b/, "write `the edge`"],
  [/\b(?:purge_|shed_)?patience\b/, "write `timeout`"],
  [/\b[Cc]ulprit\w*/, "write `top route`"],
  [/\b[Mm]emo\b/, "write `persisted state`"],
  [/\btold\(/, "name what the function returns"],
  [/\bwant of\b/, "write `missing` or `lack of`"],
  [
    /\b(?:struct|enum|type|trait) (?:Told|Look|Said|Seen|Watched|News|Orders|Desk|Ear)\b/,
    "name the type by what it holds",
  ],
  [/\bBlindness\b/, "write `ProbeSkipped`"],
  [/\bchurn_(?:mean|p99|bytes)\b|\bruntime_(?:late|stall_ms)\b/, "write `allocated_` and `runtime_delay`"],
  [/\b(?:[Cc]ourier|[Ee]rrand|[Rr]emnant)s?\b/, "write `WebhookSender`, `Propagated` or `orphaned samples`"],
];

/**
 * Finds retired words.
 * @param {string} text
 * @returns {{ line: number, word: string, hint: string }[]}
 */
export const findRetiredWords = (text) =>
  text.split("\n").flatMap((content, index) =>
    RETIRED.flatMap(([pattern, hint]) => {
      const [word] = pattern.exec(content) ?? [];
      return word === undefined ? [] : [{ line: index + 1, word, hint }];
    }),
  );
