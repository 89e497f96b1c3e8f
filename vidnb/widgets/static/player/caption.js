/* What stands below the video. */

/** Prompt, params and what came of them, in the words of the saved notebook. */
export function caption(clip) {
  const params = clip.params.map(([name, value]) =>
    h(
      "span",
      { class: "vidnb-chip" },
      h("span", { class: "vidnb-muted" }, name),
      " ",
      h("bdi", { class: "vidnb-mono" }, value),
    ),
  );
  return [
    clip.prompt && h("p", { class: "vidnb-prompt", dir: "auto" }, clip.prompt),
    clip.whole &&
      h(
        "details",
        { class: "vidnb-fine" },
        h("summary", {}, "whole prompt"),
        h("div", { class: "vidnb-whole", dir: "auto" }, clip.whole),
      ),
    h(
      "div",
      { class: "vidnb-row vidnb-recipe" },
      badges(clip),
      h("span", { class: "vidnb-model" }, clip.model),
      params,
    ),
    h(
      "div",
      { class: "vidnb-fine vidnb-muted" },
      clip.outcome.map((words) => `${words} · `),
      "job ",
      h("span", { class: "vidnb-mono" }, clip.id.slice(0, 8)),
    ),
  ].filter(Boolean);
}

/** Copy a text; where the page may not, show it selected instead. */
export async function copyText(text, box, announce) {
  try {
    await navigator.clipboard.writeText(text);
    box.hidden = true;
    announce("Recipe copied");
    return true;
  } catch {
    box.hidden = false;
    box.value = text;
    box.focus();
    box.select();
    announce("The page may not copy: press Ctrl C");
    return false;
  }
}
