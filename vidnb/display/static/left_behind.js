// Says in one sentence how many videos of a page were not sent along with it. The page has a list of invisible pictures,
// one from each folder of videos: a folder that is missing leaves its picture broken. Where no script runs, the words of
// the broken pictures say it, one after the other.
(() => {
  /** @param {HTMLElement} list */
  const look = (list) => {
    const dots = [...list.querySelectorAll("img")];
    const said = document.createElement("div");
    list.after(said);
    const say = () => {
      let lost = 0;
      for (const dot of dots) if (dot.complete && !dot.naturalWidth) lost += Number(dot.dataset.n);
      list.style.display = lost ? "none" : "";
      const all = list.dataset.vidnbGone;
      const words =
        all === "1"
          ? "The video on this page cannot play: its file was not sent along with it."
          : `${lost} of the ${all} videos on this page cannot play: their files were not sent along with it.`;
      said.textContent = lost ? words : "";
    };
    for (const dot of dots) dot.addEventListener("error", say);
    say();
  };
  for (const list of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-vidnb-gone]"))) {
    if (!("vidnbLooked" in list.dataset)) look(list);
    list.dataset.vidnbLooked = "";
  }
})();
