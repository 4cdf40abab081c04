// The viewers have the theme of the page: they read it in their address, and see when it changes.
const dark = matchMedia("(prefers-color-scheme: dark)");

const showTheme = () => {
  const { theme } = document.body.dataset;
  const shown = theme === "light" || theme === "dark" ? theme : dark.matches ? "dark" : "light";
  for (const frame of document.querySelectorAll("iframe.viewer")) {
    const [page, place] = frame.getAttribute("src").split("#");
    const parts = new URLSearchParams(place);
    if (parts.get("theme") === shown) continue;
    parts.set("theme", shown);
    frame.setAttribute("src", `${page}#${parts}`);
  }
};

addEventListener("DOMContentLoaded", () => {
  showTheme();
  dark.addEventListener("change", showTheme);
  new MutationObserver(showTheme).observe(document.body, { attributeFilter: ["data-theme"] });
});
