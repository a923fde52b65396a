// Requests of scripts to our own server. What changes something carries the token of the page.

export class Refused extends Error {}

const token = () => document.querySelector("meta[name=csrf-token]")?.content ?? "";

async function answer(response) {
  if (response.ok) {
    return response.status === 204 ? null : response.json();
  }
  const problem = await response.json().catch(() => ({}));
  throw new Refused(problem.detail ?? `The server answered ${response.status}.`);
}

export async function getJson(url, options = {}) {
  return answer(await fetch(url, { ...options, headers: { accept: "application/json" } }));
}

/** Sends fields as a form does; gives the answer's JSON, or throws Refused with a sentence for people. */
export async function post(url, fields = {}) {
  const body = new URLSearchParams(fields);
  return answer(
    await fetch(url, { method: "POST", body, headers: { accept: "application/json", "x-csrf-token": token() } }),
  );
}
