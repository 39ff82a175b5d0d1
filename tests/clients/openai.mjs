// What the official `openai` client for JavaScript makes of the answers, for each way to ask.
import OpenAI from "openai";
import { asked, compact, messages, report, run, weather } from "./report.mjs";

const { key, system, tool, url } = asked;
const client = new OpenAI({ apiKey: key, baseURL: url, maxRetries: 0 });
const chatMessages = [{ role: "system", content: system }, ...messages];
const chatTool = { type: "function", function: { ...tool, strict: true } };
const runnable = { type: "function", function: { ...tool, function: weather, parse: JSON.parse } };
const responsesTools = [{ type: "function", ...tool, strict: true }];

function chatFacts(answer) {
  const [choice] = answer.choices;
  const usage = answer.usage;
  return {
    text: choice.message.content ?? "",
    calls: (choice.message.tool_calls ?? []).map((call) => [call.id, call.function.name, compact(call.function.arguments)]),
    stop: choice.finish_reason,
    tokens: [
      usage.prompt_tokens,
      usage.prompt_tokens_details.cached_tokens,
      usage.completion_tokens,
      usage.completion_tokens_details.reasoning_tokens,
    ],
  };
}

function responseFacts(answer) {
  const calls = answer.output.filter((item) => item.type === "function_call");
  const usage = answer.usage;
  return {
    text: answer.output_text,
    calls: calls.map((call) => [call.call_id, call.name, compact(call.arguments)]),
    stop: answer.status,
    tokens: [
      usage.input_tokens,
      usage.input_tokens_details.cached_tokens,
      usage.output_tokens,
      usage.output_tokens_details.reasoning_tokens,
    ],
  };
}

await report({
  async chat_create(model) {
    return chatFacts(await client.chat.completions.create({ model, messages: chatMessages, max_completion_tokens: 512 }));
  },

  async chat_stream(model) {
    const asking = { model, messages: chatMessages, tools: [chatTool], stream_options: { include_usage: true } };
    return chatFacts(await client.chat.completions.stream(asking).finalChatCompletion());
  },

  async chat_run_tools(model) {
    const runner = client.chat.completions.runTools({ model, messages: chatMessages, tools: [runnable] });
    return chatFacts(await runner.finalChatCompletion());
  },

  async response_create(model) {
    const asking = { model, input: messages, instructions: system, store: false };
    return responseFacts(await client.responses.create(asking));
  },

  async response_stream(model) {
    const asking = { model, input: messages, instructions: system, tools: responsesTools };
    return responseFacts(await client.responses.stream(asking).finalResponse());
  },

  async response_tool_loop(model) {
    const asking = { model, instructions: system, tools: responsesTools, include: ["reasoning.encrypted_content"] };
    const first = await client.responses.create({ ...asking, input: messages });
    const outputs = first.output
      .filter((item) => item.type === "function_call")
      .map((call) => ({ type: "function_call_output", call_id: call.call_id, output: run(call.arguments) }));
    const input = [...messages, ...first.output, ...outputs];
    return responseFacts(await client.responses.create({ ...asking, input }));
  },
});
