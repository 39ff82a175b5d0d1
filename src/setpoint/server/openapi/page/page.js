"use strict";

// Shows openapi.json. All text goes into the page as text, never as markup; what is folded is made when it is opened.

const METHODS = ["get", "post", "put", "patch", "delete", "head"];

const byId = (id) => document.getElementById(id);

/** An element with these properties and children; strings become text. */
function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** A fold whose inside is made when it is first opened. */
function fold(properties, summary, inside) {
  const made = el("details", properties, el("summary", {}, ...summary));
  made.addEventListener("toggle", () => {
    if (made.open && made.children.length === 1) made.append(inside());
  });
  return made;
}

// --- schemas -------------------------------------------------------------------------------------------------

let api = null;

const named = (schema) => schema.$ref?.split("/").pop();

function resolved(thing) {
  if (!thing.$ref) return thing;
  return thing.$ref.slice(2).split("/").reduce((at, part) => at[part.replaceAll("~1", "/").replaceAll("~0", "~")], api);
}

/** What kind of value a schema takes, in a few words. */
function kind(schema) {
  if (schema.$ref) return named(schema);
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((word) => JSON.stringify(word)).join(" | ");
  const several = schema.anyOf ?? schema.oneOf;
  if (several && !schema.properties) return several.map(kind).join(" | ");
  const type = [schema.type ?? "any"].flat().join(" | ");
  if (schema.items) return `${type} of ${kind(schema.items)}`;
  return schema.format ? `${type} (${schema.format})` : type;
}

const LIMITS = {
  minimum: "from", maximum: "to", exclusiveMaximum: "below", minLength: "characters from", maxLength: "characters to",
  minItems: "entries from", maxItems: "entries to", maxProperties: "members to", pattern: "as",
};

function limits(schema) {
  const said = Object.entries(LIMITS).filter(([name]) => name in schema);
  return said.map(([name, words]) => `${words} ${schema[name]}`).join(", ");
}

/** The schemas that stand inside another and are worth a look. */
function inner(schema) {
  if (schema.$ref) return [schema];
  const found = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  if (schema.items) found.push(schema.items);
  if (typeof schema.additionalProperties === "object") found.push(schema.additionalProperties);
  return found.filter((one) => one.$ref || one.properties || inner(one).length);
}

/** A schema as a tree. */
function tree(schema) {
  const whole = resolved(schema);
  const made = el("div", { class: "schema" });
  if (whole.description) made.append(el("div", { class: "said" }, whole.description));
  for (const [name, member] of Object.entries(whole.properties ?? {})) {
    const needed = whole.required?.includes(name);
    const line = [
      el("code", {}, name),
      needed ? el("span", { class: "needed", title: "required" }, "*") : "",
      " ",
      el("span", { class: "kind" }, kind(member)),
      " ",
      el("span", { class: "said" }, [limits(member), member.description].filter(Boolean).join(" · ")),
    ];
    const folded = member.properties || inner(member).length;
    made.append(folded ? fold({}, line, () => tree(member)) : el("div", {}, ...line));
  }
  if (!whole.properties) {
    made.append(el("div", {}, el("span", { class: "kind" }, kind(whole)), " ", el("span", { class: "said" }, limits(whole))));
  }
  for (const one of whole.properties ? whole.anyOf ?? [] : inner(whole)) {
    made.append(fold({}, [el("span", { class: "kind" }, kind(one))], () => tree(one)));
  }
  return made;
}

/** A value to begin with: what is required, and no more. */
function example(schema, depth = 0) {
  const whole = resolved(schema);
  if ("const" in whole) return whole.const;
  if (whole.enum) return whole.enum[0];
  if (whole.properties && depth < 6) {
    const needed = whole.required ?? whole.anyOf?.[0]?.required ?? [];
    return Object.fromEntries(needed.map((name) => [name, example(whole.properties[name], depth + 1)]));
  }
  if (whole.anyOf) return example(whole.anyOf[0], depth + 1);
  const type = [whole.type].flat()[0];
  if (type === "array") return whole.minItems ? [example(whole.items, depth + 1)] : [];
  return { string: "", integer: whole.minimum ?? 0, number: whole.minimum ?? 0, boolean: false, object: {} }[type] ?? null;
}

// --- operations ----------------------------------------------------------------------------------------------

function parameters(operation) {
  const rows = operation.parameters.map((one) =>
    el("tr", {},
      el("td", {}, el("code", {}, one.name), one.required ? el("span", { class: "bad", title: "required" }, "*") : ""),
      el("td", {}, one.in),
      el("td", {}, kind(one.schema)),
      el("td", {}, one.description)));
  return el("table", {}, ...rows);
}

function contents(content) {
  return Object.entries(content ?? {}).map(([media, { schema, "x-setpoint-event": event }]) =>
    el("div", {}, el("span", { class: "note" }, event ? `${media}, each event:` : media), tree(event ?? schema)));
}

function responses(operation) {
  return Object.entries(operation.responses).map(([status, response]) => {
    const { description, content, headers } = resolved(response);
    const line = [el("code", { class: status < 400 ? "good" : "bad" }, status), " ", description];
    const said = Object.entries(headers ?? {}).map(([name, one]) =>
      el("div", { class: "said" }, el("code", {}, name), " ", one.description));
    return fold({}, line, () => el("div", { class: "schema" }, ...said, ...contents(content)));
  });
}

function detail(operation) {
  const { method, path, item } = operation;
  const who = operation["x-setpoint-role"];
  const made = el("div", {});
  const chips = who ? who.map((role) => el("span", { class: "chip" }, role)) : [el("span", { class: "chip" }, "no key")];
  made.append(el("p", {}, ...chips, el("span", { class: "note" }, ` under ${item.servers.map((one) => one.url).join(", ")}`)));
  if (operation.parameters) made.append(el("h3", {}, "Parameters"), parameters(operation));
  if (operation.requestBody) made.append(el("h3", {}, "Body"), ...contents(operation.requestBody.content));
  made.append(el("h3", {}, "Answers"), ...responses(operation));
  if (method !== "head") made.append(el("h3", {}, "Try it"), trying(operation, path, item));
  return made;
}

// --- trying --------------------------------------------------------------------------------------------------

function trying(operation, path, item) {
  const fields = (operation.parameters ?? []).map((one) => {
    const input = el("input", { placeholder: kind(one.schema), autocomplete: "off", "aria-label": one.name });
    return { ...one, input, line: el("tr", {}, el("td", {}, el("code", {}, one.name)), el("td", {}, input)) };
  });
  const body = operation.requestBody ? el("textarea", { spellcheck: false, "aria-label": "Body" }) : null;
  if (body) {
    body.value = JSON.stringify(example(operation.requestBody.content["application/json"].schema), null, 2);
  }
  const told = el("div", { role: "status" });
  const shown = el("pre", { hidden: true, tabIndex: 0 });
  const stop = el("button", { type: "button", class: "quiet", hidden: true }, "Stop");
  const form = el("form", {}, el("table", {}, ...fields.map((one) => one.line)), body,
    el("p", {}, el("button", {}, "Send"), " ", stop), told, shown);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const abort = new AbortController();
    stop.onclick = () => abort.abort();
    stop.hidden = false;
    shown.textContent = "";
    told.className = "";
    told.textContent = "…";
    try {
      await send(address(path, item, fields), operation, body?.value, abort.signal, told, shown);
    } catch (error) {
      told.className = "bad";
      told.textContent = error.name === "AbortError" ? "Stopped." : `Nothing came back: ${error.message}`;
    }
    stop.hidden = true;
  });
  return form;
}

function address(path, item, fields) {
  const chosen = byId("server").value;
  const base = item.servers.some((one) => one.url === chosen) ? chosen : item.servers[0].url;
  const filled = path.replace(/\{(\w+)\}/g, (_, name) =>
    encodeURIComponent(fields.find((one) => one.in === "path" && one.name === name).input.value));
  const query = new URLSearchParams(fields.filter((one) => one.in === "query" && one.input.value)
    .map((one) => [one.name, one.input.value]));
  return base.replace(/\/$/, "") + filled + (query.size ? `?${query}` : "");
}

async function send(url, operation, body, signal, told, shown) {
  const headers = {};
  const key = byId("key").value.trim();
  if (key && operation.security.length) headers.Authorization = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  const began = performance.now();
  const answer = await fetch(url, {
    method: operation.method.toUpperCase(), headers, body: body || undefined, signal, credentials: "omit", redirect: "error",
  });
  told.className = answer.ok ? "good" : "bad";
  const said = [`${answer.status} after ${Math.round(performance.now() - began)} ms`];
  for (const name of ["x-generation-id", "x-setpoint-preset", "x-setpoint-unsaid", "retry-after"]) {
    if (answer.headers.has(name)) said.push(`${name}: ${answer.headers.get(name)}`);
  }
  told.textContent = said.join(" · ");
  shown.hidden = false;
  const text = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let whole = "";
  for (let piece = await text.read(); !piece.done; piece = await text.read()) {
    whole += piece.value;
    shown.append(piece.value);
  }
  try {
    shown.textContent = JSON.stringify(JSON.parse(whole), null, 2);
  } catch {
    // Not JSON: it stays as it came.
  }
}

// --- the page ------------------------------------------------------------------------------------------------

function operationsOf(document_) {
  return Object.entries(document_.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ ...item[method], method, path, item })));
}

function shownOperation(operation) {
  const line = [
    el("span", { class: `method ${operation.method}` }, operation.method.toUpperCase()), " ",
    el("span", { class: "path" }, operation.path),
    el("span", { class: "about" }, operation.summary),
  ];
  const made = fold({ class: "operation", id: operation.operationId }, line, () => detail(operation));
  const words = [operation.method, operation.path, operation.summary, operation.operationId, ...operation.tags,
    ...(operation["x-setpoint-role"] ?? ["no key"])];
  made.dataset.words = words.join(" ").toLowerCase();
  return made;
}

function show(document_) {
  api = document_;
  byId("version").textContent = `Version ${api.info.version} · OpenAPI ${api.openapi}`;
  byId("server").append(...api.servers.map((server) => el("option", { value: server.url }, server.url)));
  const operations = operationsOf(api);
  const main = byId("operations");
  main.replaceChildren(el("p", {}, api.info.description));
  for (const { name } of api.tags) {
    const own = operations.filter((operation) => operation.tags[0] === name);
    main.append(el("section", {}, el("h2", {}, name), ...own.map(shownOperation)));
    const links = own.map((operation) =>
      el("a", { href: `#${operation.operationId}`, title: operation.summary }, `${operation.method.toUpperCase()} ${operation.path}`));
    byId("contents").append(el("div", {}, el("strong", {}, name), ...links));
  }
  const schemas = Object.entries(api.components.schemas).map(([name, schema]) => {
    const made = fold({ class: "operation" }, [el("code", {}, name)], () => el("div", {}, tree(schema)));
    made.dataset.words = `schema ${name}`.toLowerCase();
    return made;
  });
  main.append(el("section", {}, el("h2", {}, "Schemas"), ...schemas));
}

function search() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const section of document.querySelectorAll("main > section")) {
    const all = [...section.querySelectorAll(":scope > details")];
    for (const one of all) one.hidden = !words.every((word) => one.dataset.words.includes(word));
    section.hidden = all.every((one) => one.hidden);
  }
}

function follow() {
  const target = byId(decodeURIComponent(location.hash.slice(1)));
  if (target?.matches("details")) {
    target.open = true;
    target.scrollIntoView();
  }
}

async function begin() {
  byId("search").addEventListener("input", search);
  window.addEventListener("hashchange", follow);
  try {
    const answer = await fetch("openapi.json", { credentials: "omit" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show(await answer.json());
    search();
    follow();
  } catch (error) {
    byId("state").textContent = `openapi.json could not be read: ${error.message}`;
  }
}

begin();
