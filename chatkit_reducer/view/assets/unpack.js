// Unpacks the script of the page and runs it. Meanwhile the static part, which flashes up otherwise, is hidden; it is
// back if that fails.
(async () => {
  const still = document.getElementById("static"), packed = document.getElementById("packed");
  still.hidden = true;
  try {
    const bytes = Uint8Array.from(atob(packed.textContent), (character) => character.charCodeAt(0));
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const script = document.createElement("script");
    script.textContent = await new Response(unpacked).text();
    packed.replaceWith(script);
  } finally {
    still.hidden = false;
  }
})();
