// What the scripts beside this one have in common: what is asked, and how they tell what came of it.
export const asked = JSON.parse(process.argv[2]);
export const messages = [{ role: "user", content: asked.question }];
export const weather = ({ city }) => asked.results[city];
export const run = (args) => weather(JSON.parse(args));
export const compact = (args) => JSON.stringify(JSON.parse(args));

// Prints { model: { way: facts } }. A way that fails says so instead, and is the last that is tried with its model,
// because the upstream answers in turn.
export async function report(ways) {
  const told = {};
  for (const model of asked.models) {
    told[model] = {};
    for (const [way, ask] of Object.entries(ways)) {
      try {
        told[model][way] = await ask(model);
      } catch (error) {
        told[model][way] = { error: `${error.stack ?? error}\n${error.cause ?? ""}` };
        break;
      }
    }
  }
  console.log(JSON.stringify(told));
}
