"use strict";

/* The table: sort by any column; empty cells stay at the end. */
(() => {
  const table = document.getElementById("table");
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, column, numeric) => {
    const cell = row.cells[column];
    const text = (cell.dataset.key ?? cell.textContent).trim().replace("\u2212", "-");
    if (!numeric) return text;
    const value = parseFloat(text);
    return text === "" || Number.isNaN(value) ? null : value;
  };
  const sort = (head, column) => {
    const numeric = head.dataset.kind === "number";
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((each) => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const empty = (value) => value === null || value === "";
    const compare = (a, b) => {
      const [x, y] = [key(a, column, numeric), key(b, column, numeric)];
      if (empty(x) || empty(y)) return empty(x) - empty(y);
      const order = numeric ? x - y : x.localeCompare(y, undefined, { numeric: true });
      return down ? -order : order;
    };
    const body = table.tBodies[0];
    body.append(...[...body.rows].sort(compare));
  };
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => sort(head, column)));
})();

/* Light and dark: the system's choice until the reader makes one; paper is always light. */
const theme = (() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  const listeners = [];
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const changed = () => {
    button.textContent = dark() ? "Light" : "Dark";
    listeners.forEach((listener) => listener());
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    changed();
  });
  system.addEventListener("change", changed);
  let before;
  addEventListener("beforeprint", () => { before = root.dataset.theme; root.dataset.theme = "light"; changed(); });
  addEventListener("afterprint", () => {
    if (before) root.dataset.theme = before; else delete root.dataset.theme;
    changed();
  });
  changed();
  return { listen: (listener) => listeners.push(listener), colour: (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim() };
})();

/* The maps: layers of every plan, unpacked as they are shown. */
(() => {
  const source = document.getElementById("explorer-data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const MISSING = 255, LEVELS = 254, DOT = 3;
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const floats = (text) => new Float32Array(bytes(text).buffer);
  const element = (id) => document.getElementById(id);
  const span = (count) => [...Array(count).keys()];
  const digits = (value, n = 3) => {
    if (value === null || value === undefined || Number.isNaN(value)) return "\u2013";
    const size = Math.abs(value);
    const text = size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(n - 1) : String(Number(value.toPrecision(n)));
    return text.replace("-", "\u2212");
  };
  const subscript = (k) => "z" + [...String(k + 1)].map((c) => String.fromCharCode(0x2080 + Number(c))).join("");

  const where = (() => {
    const known = bytes(data.cells);
    return span(known.length).filter((k) => known[k]);
  })();
  const candidates = floats(data.candidates);
  const colours = Object.fromEntries(data.layers.map((layer) => [layer.name, bytes(layer.colours)]));
  const unpacked = new Map();
  const codes = (layer, plan) => {
    const name = `${layer.name}/${plan}`;
    if (!unpacked.has(name)) unpacked.set(name, bytes(layer.codes[plan]));
    return unpacked.get(name);
  };
  const value = (layer, plan, cell) => {
    const code = codes(layer, plan)[cell];
    return code === MISSING ? NaN : layer.low[plan] + (code / LEVELS) * (layer.high[plan] - layer.low[plan]);
  };

  const state = { plan: data.plans.length - 1, shared: false, x: 0, y: 1 };
  const range = (layer) => {
    const known = (list) => list.filter((each) => each !== null);
    return state.shared
      ? [Math.min(...known(layer.low)), Math.max(...known(layer.high))]
      : [layer.low[state.plan], layer.high[state.plan]];
  };

  /* --- one panel: a canvas in latent coordinates -------------------------------------------- */
  const panels = [];
  const flat = data.dimension === 1;
  const makePanel = (title, draw, ratio) => {
    const figure = document.createElement("figure");
    const heading = document.createElement("h3");
    const canvas = document.createElement("canvas");
    heading.textContent = title;
    canvas.setAttribute("role", "img");
    figure.append(heading, canvas);
    element("panels").append(figure);
    const panel = { canvas, draw, ratio, title, box: null };
    canvas.addEventListener("pointermove", (event) => readout(panel, event));
    canvas.addEventListener("pointerleave", () => { element("readout").textContent = "\u00a0"; });
    panels.push(panel);
  };

  const ticks = (low, high, count = 5) => {
    const raw = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw) ?? raw;
    const first = Math.ceil(low / step - 1e-9);
    return span(Math.max(0, Math.floor(high / step + 1e-9) - first + 1)).map((k) => Number(((first + k) * step).toPrecision(12)));
  };

  const prepare = (panel, limits, right) => {
    const { canvas } = panel;
    const width = canvas.clientWidth || 320, height = Math.round(width * panel.ratio);
    const density = window.devicePixelRatio || 1;
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * density);
    canvas.height = Math.round(height * density);
    const context = canvas.getContext("2d");
    context.scale(density, density);
    const box = { left: 42, top: 6, width: width - 42 - right, height: height - 6 - 34, ...limits };
    box.px = (x) => box.left + ((x - box.x0) / (box.x1 - box.x0)) * box.width;
    box.py = (y) => box.top + box.height - ((y - box.y0) / (box.y1 - box.y0)) * box.height;
    panel.box = box;
    return [context, box];
  };

  const font = () => `11px ${theme.colour("sans")}`;

  const frame = (context, box, xName, yName) => {
    context.strokeStyle = context.fillStyle = theme.colour("muted");
    context.lineWidth = 0.8;
    context.font = font();
    context.strokeRect(box.left - 0.5, box.top - 0.5, box.width + 1, box.height + 1);
    context.textAlign = "center"; context.textBaseline = "top";
    ticks(box.x0, box.x1).forEach((x) => {
      context.fillRect(box.px(x) - 0.4, box.top + box.height, 0.8, 4);
      context.fillText(digits(x), box.px(x), box.top + box.height + 6);
    });
    context.fillText(xName, box.left + box.width / 2, box.top + box.height + 20);
    context.textAlign = "right"; context.textBaseline = "middle";
    ticks(box.y0, box.y1).forEach((y) => {
      context.fillRect(box.left - 4, box.py(y) - 0.4, 4, 0.8);
      context.fillText(digits(y), box.left - 6, box.py(y));
    });
    context.save();
    context.translate(8, box.top + box.height / 2); context.rotate(-Math.PI / 2); context.textAlign = "center";
    context.fillText(yName, 0, 0);
    context.restore();
  };

  const colourBar = (context, box, table, low, high) => {
    const left = box.left + box.width + 8;
    span(Math.ceil(box.height)).forEach((row) => {
      const k = 3 * Math.round(255 * (1 - row / box.height));
      context.fillStyle = `rgb(${table[k]},${table[k + 1]},${table[k + 2]})`;
      context.fillRect(left, box.top + row, 8, 1.5);
    });
    context.fillStyle = theme.colour("muted");
    context.font = font();
    context.textAlign = "left";
    [[high, "top", 0], [(low + high) / 2, "middle", box.height / 2], [low, "bottom", box.height]].forEach(([v, line, y]) => {
      context.textBaseline = line;
      context.fillText(digits(v), left + 12, box.top + y);
    });
  };

  const shade = (layer, low, high, cell) => {
    const v = value(layer, state.plan, cell);
    if (Number.isNaN(v)) return -1;
    return Math.round(255 * Math.min(1, Math.max(0, high > low ? (v - low) / (high - low) : 0.5)));
  };

  const drawGrid = (context, box, layer, low, high) => {
    const table = colours[layer.name];
    const nx = data.grid.x.length, ny = data.grid.y.length;
    const picture = document.createElement("canvas");
    picture.width = nx; picture.height = ny;
    const pixels = new ImageData(nx, ny);
    where.forEach((candidate, cell) => {
      const k = shade(layer, low, high, cell);
      if (k < 0) return;
      const i = data.grid.xFirst ? Math.floor(candidate / ny) : candidate % nx;
      const j = data.grid.xFirst ? candidate % ny : Math.floor(candidate / nx);
      pixels.data.set([table[3 * k], table[3 * k + 1], table[3 * k + 2], 255], 4 * ((ny - 1 - j) * nx + i));
    });
    picture.getContext("2d").putImageData(pixels, 0, 0);
    const half = (axis) => (axis[axis.length - 1] - axis[0]) / (axis.length - 1) / 2;
    const { x, y } = data.grid;
    const x0 = box.px(x[0] - half(x)), x1 = box.px(x[nx - 1] + half(x));
    const y0 = box.py(y[ny - 1] + half(y)), y1 = box.py(y[0] - half(y));
    context.save();
    context.beginPath(); context.rect(box.left, box.top, box.width, box.height); context.clip();
    context.imageSmoothingEnabled = false;
    context.drawImage(picture, x0, y0, x1 - x0, y1 - y0);
    context.restore();
  };

  const drawScatter = (context, box, layer, low, high) => {
    const table = colours[layer.name], d = data.dimension;
    const shades = where.map((_, cell) => shade(layer, low, high, cell));
    span(where.length).filter((cell) => shades[cell] >= 0).sort((a, b) => shades[a] - shades[b]).forEach((cell) => {
      const k = 3 * shades[cell];
      context.fillStyle = `rgb(${table[k]},${table[k + 1]},${table[k + 2]})`;
      const x = box.px(candidates[cell * d + state.x]), y = box.py(candidates[cell * d + state.y]);
      context.fillRect(x - DOT / 2, y - DOT / 2, DOT, DOT);
    });
  };

  const disc = (context, x, y, radius) => { context.beginPath(); context.arc(x, y, radius, 0, 2 * Math.PI); };

  const asked = () => data.plans[state.plan].asked.map((row) => data.trials[row]);
  const known = () => data.trials.filter((trial) => trial.knownFrom <= state.plan);

  const drawTrials = (context, box) => {
    known().forEach((trial) => {
      const x = box.px(trial.z[state.x]), y = box.py(trial.z[state.y]);
      context.strokeStyle = "rgba(0,0,0,.75)"; context.fillStyle = "#fff"; context.lineWidth = 1;
      if (trial.value !== null) { disc(context, x, y, 2.6); context.fill(); context.stroke(); return; }
      [["rgba(0,0,0,.75)", 3.4], ["#fff", 1.5]].forEach(([colour, width]) => {
        context.strokeStyle = colour; context.lineWidth = width; context.beginPath();
        context.moveTo(x - 3, y - 3); context.lineTo(x + 3, y + 3); context.moveTo(x - 3, y + 3); context.lineTo(x + 3, y - 3);
        context.stroke();
      });
    });
    asked().forEach((trial) => {
      const x = box.px(trial.z[state.x]), y = box.py(trial.z[state.y]);
      [["#fff", 4.5], ["#d6480d", 2.4]].forEach(([colour, width]) => {
        context.strokeStyle = colour; context.lineWidth = width; disc(context, x, y, 7.5); context.stroke();
      });
    });
  };

  const latentBox = () => ({
    x0: data.lower[state.x], x1: data.upper[state.x], y0: data.lower[state.y], y1: data.upper[state.y],
  });

  const drawMap = (layer) => (panel) => {
    const [context, box] = prepare(panel, latentBox(), 68);
    const [low, high] = range(layer);
    if (low !== null) {
      (data.grid ? drawGrid : drawScatter)(context, box, layer, low, high);
      colourBar(context, box, colours[layer.name], low, high);
    }
    drawTrials(context, box);
    frame(context, box, subscript(state.x), subscript(state.y));
    panel.canvas.setAttribute("aria-label", `${layer.title} at plan ${data.plans[state.plan].number}, from ${digits(low)} to ${digits(high)}`);
  };

  /* --- one latent dimension: lines ---------------------------------------------------------- */
  const named = (name) => data.layers.find((layer) => layer.name === name);
  const order = flat ? span(where.length).sort((a, b) => candidates[a] - candidates[b]) : [];
  const path = (context, box, height) => {
    let pen = false;
    context.beginPath();
    order.forEach((cell) => {
      const y = height(cell);
      if (Number.isNaN(y)) { pen = false; return; }
      context[pen ? "lineTo" : "moveTo"](box.px(candidates[cell]), box.py(y));
      pen = true;
    });
  };
  const padded = (values) => {
    const finite = values.filter(Number.isFinite);
    const low = Math.min(...finite), high = Math.max(...finite), pad = (high - low || 1) * 0.06;
    return { x0: data.lower[0], x1: data.upper[0], y0: low - pad, y1: high + pad };
  };
  const rules = (context, box) => asked().forEach((trial) => {
    context.strokeStyle = theme.colour("best"); context.lineWidth = 1.4; context.setLineDash([4, 3]);
    context.beginPath(); context.moveTo(box.px(trial.z[0]), box.top); context.lineTo(box.px(trial.z[0]), box.top + box.height);
    context.stroke(); context.setLineDash([]);
  });

  const drawPrediction = (panel) => {
    const mean = named("mean"), spread = named("deviation");
    const m = (cell) => value(mean, state.plan, cell);
    const s = (cell) => (spread ? 2 * value(spread, state.plan, cell) : 0);
    const scores = data.trials.map((trial) => trial.value).filter((each) => each !== null);
    const plans = state.shared ? span(data.plans.length) : [state.plan];
    const reach = plans.flatMap((k) => {
      const extra = spread ? 2 * (spread.high[k] ?? 0) : 0;
      return [mean.low[k] - extra, mean.high[k] + extra];
    });
    const [context, box] = prepare(panel, padded([...scores, ...reach]), 14);
    context.strokeStyle = theme.colour("accent"); context.fillStyle = theme.colour("accent");
    [-1, 1].forEach((sign) => { context.lineWidth = 0.8; context.globalAlpha = 0.7; path(context, box, (c) => m(c) + sign * s(c)); context.stroke(); });
    context.globalAlpha = 0.14;
    order.slice(1).forEach((cell, k) => {
      const before = order[k], y = [m(before) + s(before), m(cell) + s(cell), m(cell) - s(cell), m(before) - s(before)];
      if (y.some(Number.isNaN)) return;
      const x = [before, cell, cell, before].map((each) => box.px(candidates[each]));
      context.beginPath(); y.forEach((each, corner) => context[corner ? "lineTo" : "moveTo"](x[corner], box.py(each))); context.fill();
    });
    context.globalAlpha = 1; context.lineWidth = 1.8;
    path(context, box, m); context.stroke();
    context.fillStyle = theme.colour("ink");
    known().filter((trial) => trial.value !== null).forEach((trial) => { disc(context, box.px(trial.z[0]), box.py(trial.value), 3); context.fill(); });
    rules(context, box);
    frame(context, box, subscript(0), "score");
    panel.canvas.setAttribute("aria-label", `posterior mean with two deviations at plan ${data.plans[state.plan].number}`);
  };

  const drawAcquisition = (layer) => (panel) => {
    const [low, high] = range(layer);
    const [context, box] = prepare(panel, padded([low ?? 0, high ?? 1]), 14);
    context.strokeStyle = theme.colour("best"); context.lineWidth = 1.6;
    path(context, box, (cell) => value(layer, state.plan, cell)); context.stroke();
    rules(context, box);
    frame(context, box, subscript(0), layer.title);
    panel.canvas.setAttribute("aria-label", `${layer.title} at plan ${data.plans[state.plan].number}`);
  };

  /* --- what is under the pointer --------------------------------------------------------------- */
  const nearestTrial = (box, x, y) => {
    const height = (trial) => (flat ? trial.value ?? NaN : trial.z[state.y]);
    const apart = (trial) => Math.hypot(box.px(trial.z[flat ? 0 : state.x]) - x, box.py(height(trial)) - y);
    return [...known(), ...asked()].filter((trial) => apart(trial) < 9).sort((a, b) => apart(a) - apart(b))[0];
  };
  const nearestCell = (box, x, y) => {
    const d = data.dimension;
    let found = -1, least = 14;
    where.forEach((_, cell) => {
      const dx = box.px(candidates[cell * d + (flat ? 0 : state.x)]) - x;
      const dy = flat ? 0 : box.py(candidates[cell * d + state.y]) - y;
      const apart = Math.hypot(dx, dy);
      if (apart < least) { least = apart; found = cell; }
    });
    return found;
  };
  const readout = (panel, event) => {
    const { box } = panel;
    if (!box) return;
    const d = data.dimension, parts = [];
    const trial = nearestTrial(box, event.offsetX, event.offsetY);
    if (trial) parts.push(`trial ${trial.number}: ${trial.status}${trial.value === null ? "" : `, score ${digits(trial.value, 5)}`}`);
    const cell = nearestCell(box, event.offsetX, event.offsetY);
    if (cell >= 0) {
      parts.push(`z = (${[...candidates.slice(cell * d, cell * d + d)].map((v) => digits(v)).join(", ")})`);
      data.layers.forEach((layer) => parts.push(`${layer.title} ${digits(value(layer, state.plan, cell))}`));
    }
    element("readout").textContent = parts.length ? parts.join("  \u00b7  ") : "outside the feasible region";
  };

  /* --- moving along the plans ----------------------------------------------------------------- */
  const slider = element("plan");
  const say = () => {
    const plan = data.plans[state.plan];
    const small = document.createElement("small");
    small.textContent = `${known().length} trials known; asked for ${asked().map((trial) => trial.number).join(", ") || "none"}`;
    element("plan-name").replaceChildren(`Plan ${plan.number}`, small);
    const named = asked().map((trial, k) => (asked().length > 1 ? `${trial.number}: ` : "") + (plan.reasons[k] || ""));
    element("plan-reason").textContent = named.join("\n");
    slider.setAttribute("aria-valuetext", `plan ${plan.number}: ${plan.reasons.join("; ")}`);
  };
  const draw = () => panels.forEach((panel) => panel.draw(panel));
  const show = (plan) => {
    state.plan = Math.max(0, Math.min(data.plans.length - 1, plan));
    slider.value = state.plan;
    say();
    draw();
  };
  const fromHash = () => {
    const wanted = /^#plan=(\d+)$/.exec(location.hash);
    if (!wanted) return false;
    const near = data.plans.map((plan) => Math.abs(plan.number - Number(wanted[1])));
    show(near.indexOf(Math.min(...near)));
    return true;
  };

  const play = (() => {
    let timer = null;
    const stop = () => { clearInterval(timer); timer = null; element("play").textContent = "Play"; };
    const tick = () => (state.plan < data.plans.length - 1 ? show(state.plan + 1) : stop());
    return { stop, toggle: () => {
      if (timer) { stop(); return; }
      if (state.plan === data.plans.length - 1) show(0);
      element("play").textContent = "Pause";
      timer = setInterval(tick, 350);
    } };
  })();

  const choosePairs = () => {
    if (data.dimension < 3) return;
    element("pairs").hidden = false;
    [["pair-x", "x"], ["pair-y", "y"]].forEach(([id, axis]) => {
      const select = element(id);
      span(data.dimension).forEach((k) => select.append(new Option(subscript(k), k, k === state[axis], k === state[axis])));
      select.addEventListener("change", () => { state[axis] = Number(select.value); draw(); });
    });
  };

  slider.max = data.plans.length - 1;
  document.querySelectorAll("[data-step]").forEach((button) =>
    button.addEventListener("click", () => { play.stop(); show(state.plan + Number(button.dataset.step)); }));
  slider.addEventListener("input", () => { play.stop(); show(Number(slider.value)); });
  element("play").addEventListener("click", play.toggle);
  element("shared").addEventListener("change", (event) => { state.shared = event.target.checked; draw(); });
  document.querySelectorAll("#explorer .controls, #explorer .said").forEach((each) => { each.hidden = false; });

  if (flat) {
    element("panels").classList.add("tall");
    if (named("mean")) makePanel(named("deviation") ? "posterior mean ± 2 deviations" : "posterior mean", drawPrediction, 0.34);
    if (named("acquisition")) makePanel(named("acquisition").title, drawAcquisition(named("acquisition")), 0.2);
  } else {
    data.layers.forEach((layer) => makePanel(layer.title, drawMap(layer), 0.86));
    choosePairs();
  }
  theme.listen(draw);
  new ResizeObserver(() => requestAnimationFrame(draw)).observe(element("panels"));
  addEventListener("hashchange", () => { play.stop(); if (fromHash()) element("explorer").scrollIntoView(); });
  if (!fromHash()) show(state.plan);
})();
