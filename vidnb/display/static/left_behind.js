// Says in one sentence how many videos of a page were not sent along with it. The page has a list of invisible pictures,
// one from each folder of videos: a folder that is missing leaves its picture broken. Where no script runs, the words of
// the broken pictures say it, one after the other.
(() => {
  /** @type {NodeListOf<HTMLElement>} */
  const lists = document.querySelectorAll("[data-vidnb-gone]:not([data-vidnb-heard])");
  for (const list of lists) {
    list.dataset.vidnbHeard = "";
    const dots = [...list.querySelectorAll("img")];
    const said = document.createElement("div");
    list.after(said);
    const say = () => {
      let lost = 0;
      for (const dot of dots) if (dot.complete && !dot.naturalWidth) lost += Number(dot.dataset.n);
      list.style.display = lost ? "none" : "";
      const all = list.dataset.vidnbGone;
      const [which, files] =
        all === "1" ? ["The video", "its file was"] : [`${lost} of the ${all} videos`, "their files were"];
      said.textContent = lost ? `${which} on this page cannot play: ${files} not sent along with it.` : "";
    };
    for (const dot of dots) dot.addEventListener("error", say);
    say();
  }
})();
