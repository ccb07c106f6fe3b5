// The official npm client, as it is, at a gateway: every call in turn, and what came of each as JSON.
//
//   node calls.mjs FOLDER URL KEY REAL MOCKED     FOLDER: where the client is installed
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, baseURL, apiKey, real, mocked] = process.argv.slice(2);
const OpenAI = createRequire(join(folder, "package.json"))("openai");
let sent = 0;
const counting = (...asked) => {
  sent += 1;
  return fetch(...asked);
};
const client = new OpenAI({ baseURL, apiKey, timeout: 60_000, fetch: counting });
const messages = [{ role: "user", content: "Say in one sentence what a data centre is." }];
const tool = {
  type: "function",
  function: { name: "weather", parameters: { type: "object", properties: { words: { type: "string" } } } },
};

// What a call throws, by the name of its class.
async function thrown(call) {
  const before = sent;
  try {
    await call();
  } catch (error) {
    return {
      class: error.constructor.name, status: error.status ?? null, code: error.code ?? null, message: error.message,
      requests: sent - before,
    };
  }
  return null;
}

async function all(stream) {
  const found = [];
  for await (const each of stream) found.push(each);
  return found;
}

async function serving(model) {
  const chat = await client.chat.completions.create({ model, messages, max_tokens: 8 });
  const asked = { model, messages, max_tokens: 6, stream: true };
  const plain = await all(await client.chat.completions.create(asked));
  const telling = await all(
    await client.chat.completions.create({ ...asked, stream_options: { include_usage: true } }),
  );
  const completion = await client.completions.create({ model, prompt: "Once upon a", max_tokens: 4 });
  const written = await all(
    await client.completions.create({ model, prompt: "Once upon a", max_tokens: 4, stream: true }),
  );
  const embedded = await client.embeddings.create({ model, input: ["a cat", "a dog"] });
  const response = await client.responses.create({ model, input: "Say hello", max_output_tokens: 5 });
  const events = await all(
    await client.responses.create({ model, input: "Say hello", max_output_tokens: 5, stream: true }),
  );
  const text = (chunks) => chunks.map((each) => each.choices[0]?.delta?.content ?? "").join("");
  return {
    chat: { text: chat.choices[0].message.content, usage: chat.usage, request: chat._request_id },
    plain: { text: text(plain), usages: plain.filter((each) => each.usage).length },
    telling: { text: text(telling), usage: telling.at(-1).usage, choices: telling.at(-1).choices },
    completion: { text: completion.choices[0].text, usage: completion.usage },
    written: written.map((each) => each.choices[0].text).join(""),
    embedded: embedded.data.map((each) => each.embedding.length),
    response: { text: response.output_text, usage: response.usage },
    streamed: { last: events.at(-1).type, usage: events.at(-1).response.usage },
  };
}

async function tools() {
  const said = await client.chat.completions.create({ model: mocked, messages, tools: [tool] });
  const streamed = await client.chat.completions
    .stream({ model: mocked, messages, tools: [tool] })
    .finalChatCompletion();
  return [said, streamed].map((each) => each.choices[0].message.tool_calls[0].function);
}

async function failing() {
  const ask = (more, options) => () =>
    client.chat.completions.create({ model: mocked, messages, ...more }, options);
  const cut = [];
  return {
    key: await thrown(() =>
      client.withOptions({ apiKey: "sg_live_none" }).chat.completions.create({ model: mocked, messages }),
    ),
    model: await thrown(ask({ model: "gpt-99" })),
    retrieved: await thrown(() => client.models.retrieve("gpt-99")),
    malformed: await thrown(ask({ n: 0 })),
    upstream: await thrown(ask({ mock: "play=400" })),
    broke: await thrown(ask({ mock: "play=cut-fin" }, { maxRetries: 1 })),
    timeout: await thrown(ask({ mock: "first_ms=20000" }, { timeout: 400, maxRetries: 0 })),
    cut: await thrown(async () => {
      const stream = await ask({ mock: "play=cut-rst&tokens=8&at=5", stream: true })();
      for await (const each of stream) if (each.choices[0].delta.content) cut.push(each);
    }),
    arrived: cut.length,
  };
}

const found = {
  models: (await all(client.models.list())).map((each) => each.id).sort(),
  retrieved: (await client.models.retrieve(real)).id,
  real: await serving(real),
  mocked: await serving(mocked),
  tools: await tools(),
  failing: await failing(),
};
console.log(JSON.stringify(found));
