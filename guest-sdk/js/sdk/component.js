// The way between the contract's types and the SDK's. Only in a component: the host's interfaces are
// imported here and nowhere else.

import { send as exchangeWithHost } from "sendbox:connector/http@0.1.0";
import { log } from "sendbox:connector/log@0.1.0";

import { send } from "./connector.js";
import { Failure } from "./failure.js";
import { HttpResponse } from "./http.js";
import { Message } from "./message.js";

const ENCODER = new TextEncoder();

/** The component's one export. `project` is what the project's files say of the connector. */
export function component(connector, project) {
  return {
    describe: () => ({
      version: project.version,
      settingsSchema: project.settingsSchema,
      readme: project.readme,
      ...connector.about,
      titles: byTag(connector.about.titles),
      descriptions: byTag(connector.about.descriptions),
      hosts: connector.about.hosts ?? [],
      secretGrants: (connector.about.secretGrants ?? []).map(grant),
    }),

    send(settings, message) {
      try {
        const sent = send(connector, settings, messageOf(message), exchange);
        return sent instanceof Promise ? sent.catch(fail) : sent;
      } catch (failure) {
        return fail(failure);
      }
    },
  };
}

/** Throws a failure as the contract has it. Of an exception the log learns where it came from. */
function fail(error) {
  const { kind, code, message, retryAfter, cause } = Failure.ofException(error);
  if (cause?.stack) log("error", `${message}\n${cause.stack}`);
  throw {
    kind,
    code,
    message,
    retryAfter: retryAfter === undefined ? undefined : BigInt(retryAfter),
  };
}

function exchange(request) {
  try {
    const { method, url, headers, body, credential, timeout } = request;
    const bytes = typeof body === "string" ? ENCODER.encode(body) : body;
    const answer = exchangeWithHost({ method, url, headers, body: bytes, credential, timeout });
    return new HttpResponse(answer.status, answer.headers, answer.body);
  } catch (error) {
    throw error.payload?.tag ? Failure.ofHttpError(error.payload) : error;
  }
}

function messageOf(message) {
  const { content } = message;
  const media = content?.contentType === "text-plain" ? "text/plain" : "text/html";
  return new Message({ ...message, content: content && { ...content, contentType: media } });
}

function byTag(texts) {
  return Object.entries(texts);
}

function grant({ setting, query = false, body = false, signing = false }) {
  return { setting, query, body, signing };
}
