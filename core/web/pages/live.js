// Keeps the page of a run up to date: puts in the pieces that the server makes of it, and decides nothing.
"use strict";

(() => {
  const MOST_LINES = 2000;
  const AGAIN_MS = 3000;
  const main = document.querySelector("main[data-live]");
  if (main === null || window.EventSource === undefined) return;
  const facts = document.getElementById("facts");
  const log = document.getElementById("log");
  const standing = document.getElementById("live");
  const address = new URL(main.dataset.live, location.href);

  const say = (...words) => standing.replaceChildren(...words);

  const signInAgain = () => {
    const link = document.createElement("a");
    link.href = location.pathname;
    link.textContent = "Sign in again";
    say(link, " to see what became of this run; what stands here may be out of date.");
  };

  // A browser tries again by itself while nobody answers, and gives up once the answer is no stream. Then the same is
  // asked in a way that tells what the answer is.
  const findOut = async () => {
    const asking = new AbortController();
    try {
      const answer = await fetch(address, { signal: asking.signal });
      if (answer.status === 401) return signInAgain();
    } catch {
      // Nobody answers: tried again below.
    } finally {
      asking.abort();
    }
    setTimeout(listen, AGAIN_MS);
  };

  const showFacts = (event) => {
    const focused = document.activeElement === null ? "" : document.activeElement.id;
    facts.innerHTML = JSON.parse(event.data);
    if (focused !== "") document.getElementById(focused)?.focus();
    document.title = facts.querySelector("h1").textContent.trim();
  };

  const addLines = (event) => {
    address.searchParams.set("after", event.lastEventId);
    const atTheEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    document.getElementById("nothing")?.remove();
    log.insertAdjacentHTML("beforeend", JSON.parse(event.data));
    if (log.childElementCount > MOST_LINES) document.getElementById("older").hidden = false;
    while (log.childElementCount > MOST_LINES) log.firstElementChild.remove();
    if (atTheEnd) log.scrollTop = log.scrollHeight;
  };

  function listen() {
    const source = new EventSource(address);
    source.addEventListener("open", () => say("This page keeps itself up to date."));
    source.addEventListener("error", () => {
      say("The connection is lost; trying again.");
      if (source.readyState === EventSource.CLOSED) findOut();
    });
    source.addEventListener("facts", showFacts);
    source.addEventListener("lines", addLines);
    source.addEventListener("end", () => {
      source.close();
      say("This run has ended; nothing changes any more.");
    });
  }

  listen();
})();
