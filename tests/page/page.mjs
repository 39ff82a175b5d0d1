// Opens the page of a gateway as a reader does, folds and all, and prints what it found: `node page.mjs ORIGIN KEY`.

import { JSDOM, VirtualConsole } from "jsdom";

const [origin, key] = process.argv.slice(2);
const errors = [];
const wrong = new VirtualConsole();
wrong.on("jsdomError", (error) => errors.push(String(error.message)));

const asked = [];
const address = `${origin}/api/v1/docs`;
const dom = new JSDOM(await (await fetch(address)).text(), {
  url: address,
  runScripts: "dangerously",
  virtualConsole: wrong,
  beforeParse(window) {
    window.fetch = (to, options = {}) => {
      const url = new URL(to, address);
      asked.push([options.method ?? "GET", url.pathname + url.search, options.headers ?? {}]);
      return fetch(url, { ...options, signal: undefined });
    };
    window.TextDecoderStream = TextDecoderStream;
    window.HTMLElement.prototype.scrollIntoView = () => {};
  },
});
const { document, Event } = dom.window;

async function until(found, what) {
  for (let turn = 0; turn < 500; turn += 1) {
    const value = found();
    if (value) return value;
    await new Promise((wake) => setTimeout(wake, 20));
  }
  throw new Error(`nothing came of ${what}: ${errors} ${document.body.textContent.slice(0, 400)}`);
}

/** Open a fold; jsdom says nothing of it by itself. */
function open(fold) {
  if (fold.open && fold.children.length > 1) return;
  fold.open = true;
  fold.dispatchEvent(new Event("toggle"));
}

const all = (where, what) => [...where.querySelectorAll(what)];

function type(input, text) {
  input.value = text;
  input.dispatchEvent(new Event("input"));
}

async function send(operation, fields = {}) {
  const form = document.querySelector(`#${operation} form`);
  for (const [name, text] of Object.entries(fields)) type(form.querySelector(`[aria-label="${name}"]`), text);
  form.dispatchEvent(new Event("submit", { cancelable: true }));
  const told = form.querySelector("[role=status]");
  await until(() => told.textContent && told.textContent !== "…" && form.querySelector("button.quiet").hidden, operation);
  return [told.textContent.split(" after ")[0], form.querySelector("pre").textContent];
}

await until(() => all(document, "details.operation").length, "the document");
const operations = all(document, "main details.operation[id]");
for (const fold of all(document, "details.operation")) open(fold);
for (const fold of all(document, "details.operation details")) open(fold);
const forms = all(document, "form").length;

type(document.getElementById("search"), "post presets chat");
const found = operations.filter((one) => !one.hidden).map((one) => one.id);
type(document.getElementById("search"), "");

const refused = await send("getKeys");
type(document.getElementById("key"), key);
const listed = await send("getKeys", { offset: "0" });
const missing = await send("getKeysByHash", { hash: "a/b" });
const said = JSON.stringify({ model: "setpoint/echo", stream: true, messages: [{ role: "user", content: "<b>hi</b>" }] });
const streamed = await send("postChatCompletions", { Body: said });
const example = JSON.parse(document.querySelector("#postKeys textarea").value);

console.log(JSON.stringify({
  operations: operations.map((one) => one.id), forms, found, refused, listed, missing, streamed, example, asked, errors,
  bold: all(document, "main b").length,
}));
dom.window.close();
