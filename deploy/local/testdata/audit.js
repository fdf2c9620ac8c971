// What a page has to have for everybody [WCAG 2.2 AA], as a list of what it lacks.
(() => {
  const faults = [];
  const must = (ok, text) => { if (!ok) faults.push(text); };
  const all = (selector) => [...document.querySelectorAll(selector)];

  must(document.documentElement.lang === "en", "no language [3.1.1]");
  must(document.title, "no title [2.4.2]");
  must(all("main").length === 1 && all("header").length === 1, "not one main and one header landmark");
  must(all("h1").length === 1 && all("main h1").length === 1, "not one h1");
  must(document.documentElement.scrollWidth <= innerWidth, `scrolls sideways: ${document.documentElement.scrollWidth} in ${innerWidth} px [1.4.10]`);
  must(all("[id]").length === new Set(all("[id]").map((e) => e.id)).size, "an id occurs twice");

  const header = document.querySelector("header");
  must(!header || header.getBoundingClientRect().height < 64, `the header takes ${header?.getBoundingClientRect().height} px: more than a line`);

  let level = 0;
  for (const h of all("h1, h2, h3, h4")) {
    const l = Number(h.tagName[1]);
    must(l <= level + 1, `heading ${h.innerText} skips a level [1.3.1]`);
    level = l;
  }
  for (const e of all("input:not([type=hidden]), textarea, select")) {
    must(e.labels.length === 1 && e.labels[0].innerText.trim(), `${e.name} has no label [1.3.1]`);
  }
  for (const e of all("a, button")) {
    if (!e.checkVisibility()) continue;
    must(e.innerText.trim(), "a link or button without a name [4.1.2]");
    must(e.tagName !== "A" || e.href, "a link that leads nowhere");
    const box = e.getBoundingClientRect();
    must(box.height >= 24 || getComputedStyle(e).display === "inline", `${e.innerText} is ${box.height} px high [2.5.8]`);
    must(e.target !== "_blank" || e.rel.includes("noopener"), `${e.innerText} hands its tab over`);
  }
  for (const e of all("[aria-describedby]")) {
    must(e.getAttribute("aria-describedby").split(" ").every((id) => document.getElementById(id)), `${e.name} is described by nothing`);
  }

  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (e) => {
    for (; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor, alpha = channels(color)[3];
      if (alpha === undefined || alpha === 1) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const contrast = (e, color) => {
    const [a, b] = [luminance(color), luminance(background(e))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !e.checkVisibility() || e.matches("script, noscript, :disabled, option")) continue;
    const c = contrast(e, getComputedStyle(e).color);
    must(c >= 4.5, `"${texts.currentNode.data.trim()}" has a contrast of ${c.toFixed(1)} [1.4.3]`);
  }
  for (const e of all("input:not([type=hidden]), textarea")) {
    const c = contrast(e.parentElement, getComputedStyle(e).borderTopColor);
    must(c >= 3, `${e.name}'s border has a contrast of ${c.toFixed(1)} [1.4.11]`);
    const p = contrast(e, getComputedStyle(e, "::placeholder").color);
    must(p >= 4.5, `${e.name}'s placeholder has a contrast of ${p.toFixed(1)} [1.4.3]`);
  }
  return faults;
})()
