// What the official `@anthropic-ai/sdk` client makes of the answers, for each way to ask.
import Anthropic from "@anthropic-ai/sdk";
import { asked, messages, report, weather } from "./report.mjs";

const { anthropicUrl, key, system, tool } = asked;
const client = new Anthropic({ apiKey: key, baseURL: anthropicUrl, maxRetries: 0 });
const { parameters: input_schema, ...named } = tool;
const asking = { max_tokens: 512, system, tools: [{ ...named, input_schema }] };

function factsOf(message) {
  const usage = message.usage;
  const cached = usage.cache_read_input_tokens;
  return {
    text: message.content
      .filter((block) => block.type === "text")
      .map((block) => block.text)
      .join(""),
    calls: message.content
      .filter((block) => block.type === "tool_use")
      .map((block) => [block.id, block.name, JSON.stringify(block.input)]),
    stop: message.stop_reason,
    tokens: [
      usage.input_tokens + cached + usage.cache_creation_input_tokens,
      cached,
      usage.output_tokens,
      usage.output_tokens_details.thinking_tokens,
    ],
  };
}

await report({
  async create(model) {
    return factsOf(await client.messages.create({ ...asking, model, messages }));
  },

  async stream(model) {
    return factsOf(await client.messages.stream({ ...asking, model, messages }).finalMessage());
  },

  async tool_loop(model) {
    const first = await client.messages.stream({ ...asking, model, messages }).finalMessage();
    const results = first.content
      .filter((block) => block.type === "tool_use")
      .map((block) => ({ type: "tool_result", tool_use_id: block.id, content: weather(block.input) }));
    const history = [...messages, { role: "assistant", content: first.content }, { role: "user", content: results }];
    return factsOf(await client.messages.stream({ ...asking, model, messages: history }).finalMessage());
  },

  async tool_runner(model) {
    const runnable = { ...named, input_schema, parse: (input) => input, run: weather };
    return factsOf(await client.beta.messages.toolRunner({ ...asking, model, messages, tools: [runnable] }).runUntilDone());
  },
});
