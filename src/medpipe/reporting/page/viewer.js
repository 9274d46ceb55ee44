"use strict";
(() => {
  const scans = JSON.parse(document.getElementById("scans").textContent);
  const find = (id) => document.getElementById(id);
  const stage = find("stage");
  if (!stage || !scans.length) return;
  const [image, overlay, ticks, slider, chooser, list, where, show] =
    ["slice", "overlay", "ticks", "slider", "scan", "findings", "where", "show"].map(find);
  const SVG = "http://www.w3.org/2000/svg";
  const WHEEL_NOTCH = 50; // pixels of wheel movement a slice; a mouse's notch is about 100, a touchpad's steps are smaller
  const DRAG_PIXELS = 6; // of dragging a slice
  const TEXT_PIXELS = 15; // height of a mark's text on the screen
  const LEAP = 10; // slices of Page Up and Page Down
  let scan = scans[0], at = 0, chosen = -1;

  const draw = (name, attributes, parent) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent.append(element);
    return element;
  };
  const swatch = (mark) => {
    const box = document.createElementNS(SVG, "svg");
    box.setAttribute("class", "swatch");
    box.setAttribute("viewBox", "0 0 20 20");
    box.setAttribute("aria-hidden", "true");
    box.dataset.mark = mark;
    draw("circle", { cx: 10, cy: 10, r: 6 }, box);
    return box;
  };

  const drawMarks = () => {
    overlay.replaceChildren();
    if (!show.checked) return;
    for (const path of scan.outlines[at] || []) draw("path", { d: path }, overlay);
    const textSize = TEXT_PIXELS * Math.max(scan.width / stage.clientWidth, scan.height / stage.clientHeight);
    scan.marks.forEach((mark, number) => {
      const away = Math.abs(mark.slice - at);
      if (away > Math.max(mark.reach, 0.5)) return;
      // A little wider than the finding, which the line must not hide.
      const cut = mark.radius * Math.sqrt(Math.max(1 - (away / Math.max(mark.reach, 0.5)) ** 2, 0.25)) * 1.2 + 1.5;
      const group = draw("g", { "data-mark": mark.mark, class: number === chosen ? "chosen" : "" }, overlay);
      draw("circle", { cx: mark.x, cy: mark.y, r: cut }, group);
      if (number !== chosen) return;
      const right = mark.x < scan.width * 0.6;
      const place = { x: mark.x + (right ? cut + 2 : -cut - 2), y: mark.y + textSize / 3, "font-size": textSize, "text-anchor": right ? "start" : "end" };
      draw("text", place, group).textContent = mark.text;
    });
  };
  const go = (slice) => {
    at = Math.min(Math.max(Math.round(slice), 0), scan.slices.length - 1);
    image.src = scan.slices[at];
    const text = `slice ${at + 1} of ${scan.slices.length}, ${scan.labels[at]}`;
    where.textContent = text;
    image.alt = `${scan.name}, axial ${text}`;
    slider.value = at;
    slider.setAttribute("aria-valuetext", text);
    drawMarks();
  };
  const choose = (number) => {
    chosen = number;
    [...list.querySelectorAll("button")].forEach((button, n) => button.setAttribute("aria-current", n === number));
    const button = list.querySelectorAll("button")[number];
    if (button) list.scrollTop = button.offsetTop - list.offsetTop - list.clientHeight / 2;
    if (scan.marks[number]) go(scan.marks[number].slice);
  };
  const open = (number) => {
    scan = scans[number];
    chooser.value = number;
    image.width = scan.width; // the stage has its shape before the first picture is decoded
    image.height = scan.height;
    overlay.setAttribute("viewBox", `-0.5 -0.5 ${scan.width} ${scan.height}`);
    slider.max = scan.slices.length - 1;
    ticks.setAttribute("viewBox", `-0.5 0 ${scan.slices.length} 10`);
    ticks.replaceChildren();
    list.replaceChildren();
    scan.marks.forEach((mark, n) => {
      const width = scan.slices.length / 150;
      draw("rect", { x: mark.slice - width / 2, y: 0, width, height: 10, "data-mark": mark.mark }, ticks);
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.append(swatch(mark.mark), `${mark.mark}: ${mark.text}`);
      button.addEventListener("click", () => choose(n));
      item.append(button);
      list.append(item);
    });
    if (scan.marks.length) choose(0);
    else go(Math.floor(scan.slices.length / 2));
  };

  scans.forEach((one, number) => chooser.append(new Option(one.name, number)));
  const kinds = [...new Set(scans.flatMap((one) => one.marks.map((mark) => mark.mark)))];
  for (const kind of kinds) {
    const entry = document.createElement("span");
    entry.append(swatch(kind), kind);
    document.querySelector(".legend").append(entry);
  }
  chooser.addEventListener("change", () => open(Number(chooser.value)));
  slider.addEventListener("input", () => go(Number(slider.value)));
  show.addEventListener("change", drawMarks);

  let turned = 0;
  stage.addEventListener("wheel", (event) => {
    if (event.ctrlKey) return; // zoom of the browser
    const up = event.deltaY < 0;
    if (at === (up ? scan.slices.length - 1 : 0)) return; // at the end the page scrolls on
    event.preventDefault();
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : Math.sign(event.deltaY) * WHEEL_NOTCH;
    turned += Math.min(Math.max(pixels, -WHEEL_NOTCH), WHEEL_NOTCH);
    if (Math.abs(turned) < WHEEL_NOTCH) return;
    go(at - Math.sign(turned));
    turned = 0;
  }, { passive: false });

  const steps = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: LEAP, PageDown: -LEAP, Home: -Infinity, End: Infinity };
  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const count = scan.marks.length;
    if (event.key in steps) go(at + steps[event.key]);
    else if (event.key === "n" && count) choose((chosen + 1) % count);
    else if (event.key === "p" && count) choose((chosen - 1 + count) % count);
    else return;
    event.preventDefault();
  });

  let drag = null;
  stage.addEventListener("pointerdown", (event) => {
    drag = { y: event.clientY, at };
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    if (drag) go(drag.at + (drag.y - event.clientY) / DRAG_PIXELS);
  });
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, () => { drag = null; });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.jump");
    if (!button) return;
    open(Number(button.dataset.scan));
    if (button.dataset.mark !== undefined) choose(Number(button.dataset.mark));
    document.getElementById("viewer").scrollIntoView();
    stage.focus({ preventScroll: true });
  });
  open(0);
})();
