// What the official `@openrouter/sdk` client makes of the answers, for each way to ask.
// Its types are strict: an answer that lacks one documented member throws inside the client.
import { OpenRouter } from "@openrouter/sdk";
import { asked, compact, messages, report, run } from "./report.mjs";

const { key, system, tool, url } = asked;
// Without its retries: it would repeat every 5XX for an hour.
const client = new OpenRouter({ apiKey: key, serverURL: url, retryConfig: { strategy: "none" } });
const chatMessages = [{ role: "system", content: system }, ...messages];
const chatTools = [{ type: "function", function: { ...tool, strict: true } }];
const responsesTools = [{ type: "function", ...tool, strict: true }];

const chat = (chatRequest) => client.chat.send({ chatRequest });
const response = (responsesRequest) => client.responses.send({ responsesRequest });

function chatTokens(usage) {
  return [
    usage.promptTokens,
    usage.promptTokensDetails.cachedTokens,
    usage.completionTokens,
    usage.completionTokensDetails.reasoningTokens,
  ];
}

function chatFacts(answer) {
  const [choice] = answer.choices;
  return {
    text: choice.message.content ?? "",
    calls: (choice.message.toolCalls ?? []).map((call) => [call.id, call.function.name, compact(call.function.arguments)]),
    stop: choice.finishReason,
    tokens: chatTokens(answer.usage),
  };
}

async function streamedChatFacts(chunks) {
  const facts = { text: "", calls: [], stop: null, tokens: null };
  for await (const chunk of chunks) {
    for (const { delta, finishReason } of chunk.choices) {
      facts.text += delta.content ?? "";
      facts.stop = finishReason ?? facts.stop;
      for (const piece of delta.toolCalls ?? []) {
        facts.calls[piece.index] ??= [piece.id, piece.function.name, ""];
        facts.calls[piece.index][2] += piece.function.arguments ?? "";
      }
    }
    if (chunk.usage) facts.tokens = chatTokens(chunk.usage);
  }
  facts.calls = facts.calls.map(([id, name, args]) => [id, name, compact(args)]);
  return facts;
}

function responseFacts(answer) {
  const usage = answer.usage;
  return {
    text: answer.output
      .filter((item) => item.type === "message")
      .flatMap((item) => item.content.map((part) => part.text))
      .join(""),
    calls: answer.output
      .filter((item) => item.type === "function_call")
      .map((item) => [item.callId, item.name, compact(item.arguments)]),
    stop: answer.status,
    tokens: [
      usage.inputTokens,
      usage.inputTokensDetails.cachedTokens,
      usage.outputTokens,
      usage.outputTokensDetails.reasoningTokens,
    ],
  };
}

async function streamedResponse(request) {
  let last;
  for await (const event of await response({ ...request, stream: true })) last = event;
  return last.response;
}

await report({
  async chat_send(model) {
    return chatFacts(await chat({ model, messages: chatMessages, stream: false }));
  },

  async chat_stream(model) {
    return streamedChatFacts(await chat({ model, messages: chatMessages, stream: true }));
  },

  async chat_tool_loop(model) {
    const first = await chat({ model, messages: chatMessages, tools: chatTools, stream: false });
    const said = first.choices[0].message;
    const told = said.toolCalls.map((call) => ({
      role: "tool",
      toolCallId: call.id,
      content: run(call.function.arguments),
    }));
    const history = [...chatMessages, said, ...told];
    return chatFacts(await chat({ model, messages: history, tools: chatTools, stream: false }));
  },

  async response_send(model) {
    return responseFacts(await response({ model, input: messages, instructions: system, stream: false }));
  },

  async response_stream(model) {
    return responseFacts(await streamedResponse({ model, input: messages, instructions: system }));
  },

  async response_tool_loop(model) {
    const asking = { model, instructions: system, tools: responsesTools };
    const first = await streamedResponse({ ...asking, input: messages });
    const outputs = first.output
      .filter((item) => item.type === "function_call")
      .map((item) => ({ type: "function_call_output", callId: item.callId, output: run(item.arguments) }));
    const input = [...messages, ...first.output, ...outputs];
    return responseFacts(await streamedResponse({ ...asking, input }));
  },
});
