/* Gives sizes to the page's own rules: node size_rules.js FOLDER < {held, picked} > what they answer. */

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { CUSTOM, pickRatio, pickResolution, readSize, sidesProblem } = await import(
  pathToFileURL(`${process.argv[2]}/sizes.js`).href
);

/** What the page shows of a value: its two labels, its pixels, and whether it finds anything wrong. */
function look({ field, value }) {
  const { ratio, resolution, sides } = readSize(field, value);
  return { ratio, resolution, sides, good: ratio !== CUSTOM || sidesProblem(field, sides) === "" };
}

function pick({ field, value, pick: [name, chosen] }) {
  const { json, said } = (name === "aspect_ratio" ? pickRatio : pickResolution)(field, value, chosen);
  return { becomes: json, said, ...look({ field, value: json }) };
}

const { held, picked } = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify({ held: held.map(look), picked: picked.map(pick) }));
