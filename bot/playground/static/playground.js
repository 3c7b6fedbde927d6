// What SimCord's page does not do by itself: it was made to be looked at, not to be lived in.

// Links between channels carry the token, which is only known behind the "#" of our own address.
const links = [...document.querySelectorAll(".playground-places a")];
for (const link of links) link.href += location.hash;

// A link to a message or channel of the simulated Discord leads to its page here.
document.addEventListener("click", (event) => {
  const anchor = event.target instanceof Element ? event.target.closest("a[href]") : null;
  const channel = anchor && /^https:\/\/(?:\w+\.)?discord(?:app)?\.com\/channels\/[^/]+\/(\d+)/.exec(anchor.href)?.[1];
  const link = channel && links.find((candidate) => candidate.dataset.channel === channel);
  if (!link) return;
  event.preventDefault();
  location.assign(link.href);
}, true);

// The person one looks through the eyes of stays the same from channel to channel. (Caught on its way to the picker,
// because the page's own listener there sets the picker back until the change is made.)
document.addEventListener("change", (event) => {
  if (event.target.id === "viewer-picker") sessionStorage.setItem("playground-viewer", event.target.value);
}, true);

// "in 9 seconds" counts down.
const relative = new Intl.RelativeTimeFormat("en-US", { numeric: "auto" });
const units = [["second", 1, 60], ["minute", 60, 3600], ["hour", 3600, 86400], ["day", 86400, 604800], ["week", 604800, Infinity]];
setInterval(() => {
  for (const element of document.querySelectorAll('time[data-style="R"]')) {
    const seconds = (new Date(element.dateTime) - Date.now()) / 1000;
    const [unit, size] = units.find(([, , below]) => Math.abs(seconds) < below);
    const text = relative.format(Math.round(seconds / size), unit);
    if (element.textContent !== text) element.textContent = text;
  }
}, 1000);

// The newest message stays in view until somebody scrolls up, whatever changes its height.
const timeline = document.querySelector("#channel-timeline");
const composer = document.querySelector("#channel-composer");
let following = true;
const follow = () => { if (following) timeline.scrollTop = timeline.scrollHeight; };
const followAgain = () => { following = true; follow(); };
const judge = () => setTimeout(() => {
  following = timeline.scrollHeight - timeline.scrollTop - timeline.clientHeight < 60;
}, 120);
for (const kind of ["wheel", "touchmove", "keydown", "pointerup"]) timeline.addEventListener(kind, judge, { passive: true });
composer.addEventListener("submit", followAgain, true);
composer.addEventListener("keydown", (event) => { if (event.key === "Enter") followAgain(); }, true);
document.querySelector("#new-messages").addEventListener("click", () => { following = true; });
new MutationObserver(() => requestAnimationFrame(follow))
  .observe(document.querySelector("#channel-message-list"), { childList: true, subtree: true });
new ResizeObserver(follow).observe(timeline);

// A page outlives the process behind it: when that has started again, the page begins anew.
window.addEventListener("playground-lost", () => {
  const again = setInterval(async () => {
    const answer = await fetch(location.pathname, { cache: "no-store" }).catch(() => null);
    if (!answer?.ok) return;
    clearInterval(again);
    location.reload();
  }, 500);
}, { once: true });
