// The parts of AI SDK's fullStream, over its own mock model. In this folder: npm install, node vercel_ai.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { jsonSchema, simulateReadableStream, stepCountIs, streamText, tool } from "ai";
import * as test from "ai/test";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const sdk = `ai ${JSON.parse(readFileSync(here("node_modules/ai/package.json"))).version}`;
const Model = test.MockLanguageModelV4 ?? test.MockLanguageModelV3;
const usage = {
  inputTokens: { total: 120, noCache: 120, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 60, text: 60, reasoning: 0 },
};
const finish = (unified) => ({ type: "finish", usage, finishReason: { unified, raw: unified } });

const model = (...turns) => {
  const next = [...turns];
  return new Model({
    doStream: async () => {
      const chunks = next.shift();
      if (!chunks) throw new Error("no such model");
      return {
        stream: simulateReadableStream({ chunks: [{ type: "stream-start", warnings: [] }, ...chunks] }),
      };
    },
  });
};
const text = (id, ...deltas) => [
  { type: "text-start", id },
  ...deltas.map((delta) => ({ type: "text-delta", id, delta })),
  { type: "text-end", id },
];
const call = (toolCallId, input, ...deltas) => [
  { type: "tool-input-start", id: toolCallId, toolName: "get_weather" },
  ...deltas.map((delta) => ({ type: "tool-input-delta", id: toolCallId, delta })),
  { type: "tool-input-end", id: toolCallId },
  { type: "tool-call", toolCallId, toolName: "get_weather", input },
];

const schema = jsonSchema({
  type: "object",
  properties: { city: { type: "string" }, unit: { type: "string" } },
});
const execute = async ({ city }) => {
  if (city === "Atlantis") throw new Error(`no such city: ${city}`);
  await new Promise((resolve) => setTimeout(resolve, 20));
  return { city, temp_c: 18, sky: "sunny ☀️" };
};
const tools = { get_weather: tool({ description: "weather", inputSchema: schema, execute }) };
const asked = [
  { type: "reasoning-start", id: "r0" },
  { type: "reasoning-delta", id: "r0", delta: "The user wants two cities. " },
  { type: "reasoning-delta", id: "r0", delta: "I should call get_weather once per city." },
  { type: "reasoning-end", id: "r0" },
  ...text("t0", "Let me ", "check both cities."),
  ...call("call_paris", '{"city":"Paris","unit":"C"}', '{"city":"Paris",', '"unit":"C"}'),
  ...call("call_atlantis", '{"city":"Atlantis","unit":"C"}', '{"city":"Atlantis","unit":"C"}'),
  finish("tool-calls"),
];
const answer = [
  ...text("t0", "Paris is 18 °C and sunny; ", "**Atlantis** could not be found."),
  finish("stop"),
];
const picture = { type: "file", mediaType: "image/png", data: { type: "data", data: "iVBORw0KGgo=" } };
const link = { type: "source", sourceType: "url", id: "s1", url: "https://example.org/", title: "Example" };

const runs = {
  vercel_ai_ui_full: () => ({ model: model(asked, answer), tools }),
  vercel_ai_ui_full_error: () => ({ model: model(asked), tools }),
  vercel_ai_ui_full_files: () => ({
    model: model([link, picture, ...text("t0", "Look."), finish("length")]),
  }),
  vercel_ai_ui_full_approval: () => ({
    model: model([...call("call_1", '{"city":"Paris"}', '{"city":"Paris"}'), finish("tool-calls")]),
    tools: {
      get_weather: tool({ description: "weather", inputSchema: schema, execute, needsApproval: true }),
    },
  }),
};

const plain = (_, value) => (value instanceof Error ? { name: value.name, message: value.message } : value);
for (const [name, options] of Object.entries(runs)) {
  const result = streamText({
    prompt: "Weather in Paris and Atlantis?",
    stopWhen: stepCountIs(5),
    maxRetries: 0,
    onError: () => {},
    ...options(),
  });
  const lines = [{ sdk, surface: "streamText().fullStream, its mock model" }];
  const start = performance.now();
  for await (const event of result.fullStream) {
    const t = Number(((performance.now() - start) / 1000).toFixed(4));
    lines.push({ i: lines.length - 1, t, cls: event.type, event });
  }
  writeFileSync(here(`../${name}.jsonl`), lines.map((line) => `${JSON.stringify(line, plain)}\n`).join(""));
  console.log(`${name}.jsonl: ${lines.length - 1} natives of ${sdk}`);
}
