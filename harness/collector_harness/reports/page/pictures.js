"use strict";
// The two pictures of a case, drawn with what its data says; every text goes in as text.

const SVG = "http://www.w3.org/2000/svg";

function shape(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function short(text, most) {
  const letters = Array.from(String(text));
  return letters.length > most ? letters.slice(0, most - 1).join("") + "…" : String(text);
}

function picture(width, height, about) {
  const svg = shape("svg", {
    viewBox: `0 0 ${Math.ceil(width)} ${Math.ceil(height)}`,
    width: Math.ceil(width), height: Math.ceil(height), role: "img", "aria-label": about,
  });
  return svg;
}

function arrowhead(svg, x, y, angle, kind, size = 8) {
  const turn = (distance, side) =>
    `${x - distance * Math.cos(angle) + side * Math.sin(angle)},` +
    `${y - distance * Math.sin(angle) - side * Math.cos(angle)}`;
  svg.append(shape("polygon", {
    points: `${x},${y} ${turn(size, size / 2)} ${turn(size, -size / 2)}`, class: `tip ${kind}`,
  }));
}

// Nodes that stand in a row, around one in the middle, or on a circle.
function places(topology) {
  const names = topology.nodes.map((node) => node.name);
  const beside = new Map(names.map((name) => [name, new Set()]));
  for (const [left, right] of topology.links) {
    if (beside.has(left) && beside.has(right) && left !== right) {
      beside.get(left).add(right);
      beside.get(right).add(left);
    }
  }
  const found = new Map();
  const linked = names.filter((name) => beside.get(name).size);
  const alone = names.filter((name) => !beside.get(name).size);
  const widths = 150, heights = 92;
  const hub = linked.find((name) => beside.get(name).size === linked.length - 1);
  const ends = linked.filter((name) => beside.get(name).size === 1);
  const row = [];
  if (linked.length && linked.length <= 6 && ends.length === 2 &&
      linked.every((name) => beside.get(name).size <= 2)) {
    let next = ends[0];
    while (next && !row.includes(next)) {
      row.push(next);
      next = [...beside.get(next)].find((name) => !row.includes(name));
    }
  }
  let width = 0, height = 0;
  if (row.length && row.length === linked.length) {
    row.forEach((name, index) => found.set(name, [75 + index * (widths + 30), 40]));
    width = row.length * (widths + 30) - 30;
    height = 80;
  } else if (linked.length) {
    const centre = linked.length > 3 && hub ? hub : null;
    const around = linked.filter((name) => name !== centre);
    const radius = Math.max(centre ? 120 : 95, around.length * 27);
    around.forEach((name, index) => {
      const angle = -Math.PI / 2 + (2 * Math.PI * index) / around.length;
      found.set(name, [radius * Math.cos(angle) * 1.25, radius * Math.sin(angle)]);
    });
    if (centre) found.set(centre, [0, 0]);
    const all = [...found.values()];
    const least = [Math.min(...all.map((at) => at[0])), Math.min(...all.map((at) => at[1]))];
    for (const [name, at] of found) found.set(name, [at[0] - least[0] + 75, at[1] - least[1] + 40]);
    width = Math.max(...[...found.values()].map((at) => at[0])) + 75;
    height = Math.max(...[...found.values()].map((at) => at[1])) + 40;
  }
  const wide = Math.max(1, Math.min(alone.length, width ? Math.floor(width / widths) : 5));
  alone.forEach((name, index) => {
    found.set(name, [75 + (index % wide) * widths, height + 40 + Math.floor(index / wide) * heights]);
  });
  if (alone.length) {
    width = Math.max(width, wide * widths);
    height += Math.ceil(alone.length / wide) * heights - 12;
  }
  return { found, width, height };
}

function cut(from, to) {
  // Where the line between two boxes leaves the box of `to`.
  const half = [66, 24];
  const [dx, dy] = [from[0] - to[0], from[1] - to[1]];
  const scale = Math.min(half[0] / Math.abs(dx || 1e-9), half[1] / Math.abs(dy || 1e-9));
  return [to[0] + dx * scale, to[1] + dy * scale];
}

function faulty(data, name) {
  return (data.faults || []).some((fault) => fault.title.split(/[\s,]+/).includes(name));
}

function topologyPicture(data) {
  const { found, width, height } = places(data.topology);
  const told = data.topology.nodes.map((node) => `${node.name} (${node.kind})`).join(", ");
  const svg = picture(width, height, `Topology: ${told}; ${data.topology.links.length} links`);
  const both = new Set(data.topology.links.map((link) => JSON.stringify(link)));
  const used = new Set();
  const route = data.route.length > 1 ? data.route : null;
  const passed = (from, to) => used.add(JSON.stringify([from, to]));
  if (route) route.slice(1).forEach((name, index) => passed(route[index], name));
  for (const call of data.calls) if (call.by && call.by !== call.node) passed(call.node, call.by);
  for (const [left, right] of data.topology.links) {
    if (!found.has(left) || !found.has(right)) continue;
    const back = both.has(JSON.stringify([right, left]));
    if (back && left > right) continue;
    const start = cut(found.get(right), found.get(left));
    const end = cut(found.get(left), found.get(right));
    const kind = used.has(JSON.stringify([left, right])) || used.has(JSON.stringify([right, left]))
      ? "used" : "";
    svg.append(shape("line", {
      x1: start[0], y1: start[1], x2: end[0], y2: end[1], class: `link ${kind}`,
    }));
    const angle = Math.atan2(end[1] - start[1], end[0] - start[0]);
    arrowhead(svg, end[0], end[1], angle, kind);
    if (back) arrowhead(svg, start[0], start[1], angle + Math.PI, kind);
  }
  for (const node of data.topology.nodes) {
    const [x, y] = found.get(node.name);
    const group = shape("g");
    group.append(shape("title", {}, `${node.name}: ${node.kind}` +
      (node.namespaces.length ? `, namespaces ${node.namespaces.join(", ")}` : "")));
    group.append(shape("rect", {
      x: x - 64, y: y - 22, width: 128, height: 44, rx: node.kind === "service" ? 2 : 9,
      class: `box ${node.kind} ${faulty(data, node.name) ? "faulty" : ""}`,
    }));
    group.append(shape("text", { x, y: y - 2, "text-anchor": "middle", class: "strong" },
      short(node.name, 17)));
    const below = node.namespaces.length ? node.namespaces.join(", ") : node.kind;
    group.append(shape("text", { x, y: y + 13, "text-anchor": "middle", class: "small" },
      short(below, 22)));
    svg.append(group);
  }
  return svg;
}

// How often a call was made that was made again and again, and until when.
function again(call) {
  return call.times > 1 ? `  ×${call.times} until +${call.until}` : "";
}

// Calls and the ends of faults in the order of time.
function moments(data) {
  const all = data.calls.map((call) => ({ at: call.at, call }));
  data.faults.forEach((fault, index) => {
    all.push({ at: fault.at, fault, index, begins: true });
    if (fault.seconds !== null) all.push({ at: fault.at + fault.seconds, fault, index });
  });
  return all.sort((one, other) => one.at - other.at);
}

function sequencePicture(data) {
  const order = data.topology ? data.topology.nodes.map((node) => node.name) : [];
  const kinds = new Map((data.topology ? data.topology.nodes : []).map((node) =>
    [node.name, node.kind]));
  const here = new Set();
  for (const call of data.calls) {
    here.add(call.node);
    if (call.by) here.add(call.by);
  }
  const known = order.filter((name) => here.has(name));
  const who = [...known, ...[...here].filter((name) => !order.includes(name))].slice(0, 14);
  const gap = 168, first = 118;
  const at = new Map([[null, first], ...who.map((name, index) => [name, first + gap * (index + 1)])]);
  const rows = moments(data);
  const heightOf = (row) => (row.call ? (row.call.by && row.call.by !== row.call.node ? 74 : 50) : 30);
  const height = 66 + rows.reduce((sum, row) => sum + heightOf(row), 0);
  const longest = Math.max(0, ...data.calls.map((call) => Array.from(call.label + again(call)).length));
  const width = Math.max(first + gap * who.length + 84, first + 20 + longest * 6.8);
  const svg = picture(width, height,
    `Sequence of ${data.calls.length} calls: ` + data.calls.slice(0, 12).map((call) =>
      `${call.label} at ${call.node} answered ${call.status}`).join("; "));
  const under = shape("g"), over = shape("g");
  svg.append(under, over);
  for (const [name, x] of at) {
    over.append(shape("line", { x1: x, y1: 40, x2: x, y2: height - 8, class: "life" }));
    const box = name === null ? "test" : kinds.get(name) || "";
    over.append(shape("rect", { x: x - 62, y: 6, width: 124, height: 32, rx: 8, class: `box ${box}` }));
    over.append(shape("text", { x, y: 26, "text-anchor": "middle", class: "strong" },
      name === null ? "test" : short(name, 16)));
  }
  const arrow = (x1, x2, y, kind) => {
    over.append(shape("line", { x1, y1: y, x2, y2: y, class: kind }));
    arrowhead(over, x2, y, x2 > x1 ? 0 : Math.PI, kind, 8);
  };
  const begun = new Map();
  let y = 60;
  for (const row of rows) {
    if (row.fault) {
      if (row.begins) begun.set(row.index, y + 4);
      const edge = y + 4;
      under.append(shape("line", { x1: 4, y1: edge, x2: width - 4, y2: edge, class: "edge" }));
      over.append(shape("text", { x: 8, y: edge + 15, class: "fault halo" }, row.begins
        ? `⚡ ${short(row.fault.title, 60)}` : `healed: ${short(row.fault.title, 60)}`));
      if (!row.begins) {
        const top = begun.get(row.index);
        under.append(shape("rect", { x: 4, y: top, width: width - 8, height: edge - top, class: "band" }));
        begun.delete(row.index);
      }
      y += heightOf(row);
      continue;
    }
    const call = row.call, x = at.get(call.node) || first + gap, by = at.get(call.by);
    const bad = call.status === "OK" ? "" : "bad";
    over.append(shape("text", { x: 6, y: y + 14, class: "small" }, `+${call.when}`));
    over.append(shape("text", { x: 6, y: y + 28, class: "small" }, `step ${short(call.step, 9)}`));
    over.append(shape("text", { x: first + 8, y: y + 8, class: "halo" },
      call.label + again(call)));
    arrow(first, x, y + 14, "go");
    let back = y + 34;
    if (by && call.by !== call.node) {
      arrow(x, by, y + 33, "go");
      over.append(shape("text", { x: (x + by) / 2, y: y + 27, "text-anchor": "middle",
        class: "small halo" }, `${bad ? "sent to" : "executed by"} ${short(call.by, 16)}`));
      back = y + 57;
    }
    over.append(shape("text", { x: first + 12, y: back - 5, class: `halo small ${bad || "good"}` },
      `${call.status} · ${call.took}` + (call.layer === "grpc" ? "" : ` · ${call.layer}`)));
    arrow(x, first, back, `back ${bad}`);
    y += heightOf(row);
  }
  for (const top of begun.values()) {
    under.append(shape("rect", { x: 4, y: top, width: width - 8, height: height - top - 6, class: "band" }));
  }
  return svg;
}
