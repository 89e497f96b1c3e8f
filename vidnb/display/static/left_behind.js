// Says in one sentence how many videos of a page were not sent along with it: each invisible picture in its list stands
// for one folder, and is broken where that is missing. Where no script is run, their words say it one by one.
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
      said.textContent = lost
        ? `${lost} of the ${list.dataset.vidnbGone} videos on this page cannot play: their files were not sent along with it.`
        : "";
    };
    for (const dot of dots) dot.addEventListener("error", say);
    say();
  };
  for (const list of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-vidnb-gone]"))) {
    if (!("vidnbLooked" in list.dataset)) look(list);
    list.dataset.vidnbLooked = "";
  }
})();
