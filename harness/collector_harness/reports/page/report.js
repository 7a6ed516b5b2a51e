// Filters, links to single entries, and the details of a case when it is opened.

(() => {
  const entries = [...document.querySelectorAll(".entry")];
  const groups = [...document.querySelectorAll(".group")];
  const form = document.querySelector(".filters");
  const search = document.getElementById("search");
  const level = document.getElementById("level");
  const family = document.getElementById("family");
  const chips = [...document.querySelectorAll(".chip")];
  const said = document.getElementById("said");
  let quiet;

  function make(name, attributes, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
    node.append(...children);
    return node;
  }

  function say(text) {
    said.textContent = text;
    clearTimeout(quiet);
    quiet = setTimeout(() => { said.textContent = ""; }, 1800);
  }

  // Filters.

  const texts = new Map();
  function textOf(entry) {
    if (!texts.has(entry)) {
      const cases = [...entry.querySelectorAll(".case")].map((each) => each.dataset.case);
      const about = [...entry.querySelectorAll(".about")].map((each) => each.textContent);
      texts.set(entry, [entry.id, entry.querySelector("summary").textContent, ...cases, ...about]
        .join("\n").toLowerCase());
    }
    return texts.get(entry);
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const states = chips.filter((chip) => chip.getAttribute("aria-pressed") === "true")
      .map((chip) => chip.dataset.state);
    // What was not asked for is shown when it is asked for here, or where there is nothing else.
    const some = entries.some((entry) => entry.dataset.state !== "deselected");
    let shown = 0;
    for (const entry of entries) {
      const state = entry.dataset.state;
      const fits = (states.length ? states.includes(state) : state !== "deselected" || !some) &&
        (!level || !level.value || entry.dataset.level === level.value) &&
        (!family || !family.value || entry.dataset.family.split(" ").includes(family.value)) &&
        (!words.length || words.every((word) => textOf(entry).includes(word)));
      entry.hidden = !fits;
      shown += fits;
    }
    for (const group of groups) group.hidden = !group.querySelector(".entry:not([hidden])");
    document.getElementById("none").hidden = shown > 0 || !entries.length;
    document.getElementById("shown").textContent = `${shown} of ${entries.length} shown`;
  }

  function clear() {
    search.value = "";
    for (const select of [level, family]) if (select) select.value = "";
    for (const chip of chips) chip.setAttribute("aria-pressed", "false");
    filter();
  }

  // What a link leads to goes below the filters, however many lines they take.
  function makeRoom() {
    const sticks = getComputedStyle(form).position === "sticky";
    document.documentElement.style.setProperty("--above", `${sticks ? form.offsetHeight : 0}px`);
  }

  form.hidden = false;
  makeRoom();
  new ResizeObserver(makeRoom).observe(form);
  form.addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", filter);
  for (const select of [level, family]) if (select) select.addEventListener("change", filter);
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
      filter();
    });
  }
  document.addEventListener("keydown", (event) => {
    const writing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && writing) {
      clear();
    }
  });

  // Copying.

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make("textarea", { readonly: "" });
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    say("Copied");
  }

  function copyButton(command) {
    const about = command.querySelector("b").textContent;
    const button = make("button", { type: "button", class: "copy", "aria-label": `Copy: ${about}` }, "Copy");
    button.addEventListener("click", async () => {
      await copy(command.querySelector("code").textContent);
      button.focus();
    });
    command.append(button);
  }

  function command(title, line) {
    const node = make("div", { class: "command" }, make("b", {}, title),
      make("code", { tabindex: "0" }, line));
    copyButton(node);
    return node;
  }

  // The details of a case.

  function figure(kind, about, svg) {
    const node = make("div", { class: `figure ${kind}`, tabindex: "0", role: "region", "aria-label": about });
    node.append(svg);
    return node;
  }

  function block(text, about) {
    return make("pre", { tabindex: "0", role: "region", "aria-label": about }, text);
  }

  function differences(failure) {
    const rows = failure.mismatches.map(([path, expected, actual]) => make("tr", {},
      make("td", { "data-name": "field" }, path || "the answer"),
      make("td", { class: "expected", "data-name": "expected" }, expected),
      make("td", { class: "actual", "data-name": "was" }, actual)));
    return make("table", { class: "diff" },
      make("thead", {}, make("tr", {}, make("th", {}, "field"), make("th", {}, "expected"),
        make("th", {}, "was"))),
      make("tbody", {}, ...rows));
  }

  function legend(data) {
    const kinds = new Set(data.topology.nodes.map((node) => node.kind));
    const names = {
      target: "under test", reference: "reference collector", other: "another collector",
      peer: "played by the harness", service: "service",
    };
    const items = Object.entries(names).filter(([kind]) => kinds.has(kind))
      .map(([kind, name]) => make("li", {}, make("i", { class: kind }), name));
    if (data.topology.nodes.some((node) => faulty(data, node.name))) {
      items.push(make("li", {}, make("i", { class: "faulty" }), "broken by a fault"));
    }
    return make("ul", { class: "legend" }, ...items);
  }

  function steps(data) {
    return make("ol", { class: "steps" }, ...data.steps.map((step) => make("li", {},
      make("span", { class: "num" }, step.step),
      make("span", { class: step.outcome === "passed" ? "" : "bad" },
        step.title + (step.outcome === "passed" ? "" : ` (${step.outcome})`)),
      make("span", { class: "took" }, step.took))));
  }

  function calls(data) {
    const told = data.calls.map((call) => {
      const node = make("div", { class: "call" }, make("p", {},
        `+${call.when}  ${call.node}  ${call.rpc}  ${call.status} · ${call.took}` +
        again(call) + (call.message ? `  ${call.message}` : "")));
      node.append(block(call.request, "Request"));
      if (call.response) node.append(block(call.response, "Answer"));
      return node;
    });
    const node = make("details", { class: "calls" },
      make("summary", {}, `Every call with its request and answer (${data.calls.length})`));
    node.addEventListener("toggle", () => node.append(...told), { once: true });
    return node;
  }

  function details(data, within) {
    const parts = [];
    const add = (title, ...nodes) => parts.push(make("h4", {}, title), ...nodes);
    const failure = data.failure;
    if (failure) {
      if (failure.where) {
        const caret = failure.line ? `\n${failure.line}\n${" ".repeat(Math.max(0, failure.column - 1))}^` : "";
        add("Expectation", block(failure.where + caret, "Where the expectation is written"));
      }
      if (failure.message.includes("\n")) add("What went wrong", block(failure.message, "What went wrong"));
      if (failure.mismatches.length) {
        add("Expected and answered", differences(failure));
        if (failure.more_mismatches) parts.push(make("p", {}, `and ${failure.more_mismatches} more`));
      }
      const lines = [];
      // A case that is an entry of its own has this line at its top.
      if (failure.reproduce && within) lines.push(command("harness", failure.reproduce));
      if (failure.by_hand) lines.push(command("by hand", failure.by_hand));
      if (lines.length) add("Do it again", ...lines);
    }
    if (data.topology && data.topology.nodes.length) {
      add("Topology", figure("", "Topology", topologyPicture(data)), legend(data));
      if (data.topology.left_out) parts.push(make("p", {}, `and ${data.topology.left_out} more nodes`));
    }
    if (data.calls.length) {
      add("What happened", figure("flow", "Sequence of calls", sequencePicture(data)));
      if (data.more_calls) parts.push(make("p", {}, `and ${data.more_calls} more calls`));
      parts.push(calls(data));
    }
    if (data.steps.length) add("Steps", steps(data));
    if (failure) {
      if (failure.request) add(`Last request: ${failure.called}`, block(failure.request, "Request"));
      if (failure.answer) add("Answer", block(failure.answer, "Answer"));
      for (const [node, text] of failure.logs) add(`Log of ${node}`, block(text, `Log of ${node}`));
      if (failure.more_logs) parts.push(make("p", {}, `and logs of ${failure.more_logs} more nodes`));
    }
    return parts;
  }

  // A case that stands for several requirements has its data at the first of them.
  const held = new Map();
  for (const section of document.querySelectorAll(".case")) {
    const data = section.querySelector("script[type='application/json']");
    if (data) held.set(section.dataset.case, data);
  }

  function render(section) {
    const data = held.get(section.dataset.case);
    const within = section.closest(".entry").dataset.level;
    if (data) section.append(...details(JSON.parse(data.textContent), within));
  }

  function open(entry) {
    for (const section of entry.querySelectorAll(".case")) {
      if (section.dataset.done) continue;
      section.dataset.done = "yes";
      render(section);
    }
    for (const each of entry.querySelectorAll(".command")) {
      if (!each.querySelector("button")) copyButton(each);
    }
  }

  for (const entry of entries) {
    entry.addEventListener("toggle", () => {
      if (!entry.open) return;
      open(entry);
      if (!following) history.replaceState(null, "", `#${encodeURIComponent(entry.id)}`);
    });
  }

  // Links.

  let following = false;
  function follow() {
    let name;
    try {
      name = decodeURIComponent(location.hash.slice(1));
    } catch {
      return;
    }
    if (!name) return;
    const found = document.getElementById(name) ||
      [...document.querySelectorAll(".case")].find((each) =>
        each.dataset.case === name || each.dataset.case.endsWith(`/${name}`));
    const entry = found && found.closest(".entry");
    if (!entry) return;
    if (entry.hidden) {
      clear();
      const chip = chips.find((each) => each.dataset.state === entry.dataset.state);
      if (entry.hidden && chip) chip.click();
    }
    following = true;
    entry.open = true;
    open(entry);
    (entry.dataset.level ? found : entry).scrollIntoView({ block: "start", behavior: "instant" });
    entry.querySelector("summary").focus({ preventScroll: true });
    setTimeout(() => { following = false; }, 0);
  }

  window.addEventListener("hashchange", follow);
  filter();
  follow();
  // The browser goes to the link by itself too, once the page is there, and takes the focus.
  window.addEventListener("load", () => setTimeout(follow, 0));
})();
