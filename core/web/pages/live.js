// Keeps the page of a run up to date: puts in the pieces that the server makes of it, and decides nothing.
"use strict";

(() => {
  const MOST_LINES = 2000;
  const main = document.querySelector("main[data-live]");
  if (main === null || window.EventSource === undefined) return;
  const facts = document.getElementById("facts");
  const log = document.getElementById("log");
  const standing = document.getElementById("live");
  const source = new EventSource(main.dataset.live);

  const say = (words) => { standing.textContent = words; };

  source.addEventListener("open", () => say("This page keeps itself up to date."));
  source.addEventListener("error", () => say("The connection is lost; trying again."));

  source.addEventListener("facts", (event) => {
    const focused = document.activeElement === null ? "" : document.activeElement.id;
    facts.innerHTML = JSON.parse(event.data);
    if (focused !== "") document.getElementById(focused)?.focus();
    document.title = facts.querySelector("h1").textContent.trim();
  });

  source.addEventListener("lines", (event) => {
    const atTheEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    document.getElementById("nothing")?.remove();
    log.insertAdjacentHTML("beforeend", JSON.parse(event.data));
    if (log.childElementCount > MOST_LINES) document.getElementById("older").hidden = false;
    while (log.childElementCount > MOST_LINES) log.firstElementChild.remove();
    if (atTheEnd) log.scrollTop = log.scrollHeight;
  });

  source.addEventListener("end", () => {
    source.close();
    say("This run has ended; nothing changes any more.");
  });
})();
