// The viewers have the theme of the page: they read it in their address, and see when it changes.
const themes = () => {
  const chosen = document.body.dataset.theme;
  for (const frame of document.querySelectorAll("iframe.viewer")) {
    const [page, place] = frame.getAttribute("src").split("#");
    const parts = new URLSearchParams(place);
    if (chosen === "light" || chosen === "dark") parts.set("theme", chosen);
    else if (parts.has("theme")) parts.set("theme", "");
    const address = `${page}#${parts}`;
    if (address !== `${page}#${place}`) frame.setAttribute("src", address);
  }
};

addEventListener("DOMContentLoaded", () => {
  themes();
  new MutationObserver(themes).observe(document.body, { attributeFilter: ["data-theme"] });
});
