// Text messages through an HTTP endpoint of the tenant's own, in Logto's message format, sent by the
// engine's own HTTP client.
//
// Protocol: https://docs.logto.io/connectors/sms-connectors/http-sms, read 2026-11-21.

import { Failure, buffered, connector, object, optional, text, url } from "../../../sdk/index.js";

export default connector({
  about: {
    id: "http-sms",
    channel: "sms",
    titles: { en: "HTTP SMS", de: "HTTP-SMS", "zh-CN": "HTTP 短信" },
    descriptions: {
      en: "Posts every text message to be sent as JSON to an endpoint of your own.",
      de: "Übergibt jede zu sendende SMS als JSON an einen eigenen Endpunkt.",
      "zh-CN": "将每条待发送的短信以 JSON 形式发送到您自己的端点。",
    },
    hosts: ["{settings:/endpoint}"],
  },

  settings: object({ endpoint: url(), authorization: optional(text()) }),

  async send({ endpoint, authorization }, message) {
    const headers = { "content-type": "application/json", ...(authorization && { authorization }) };
    const body = JSON.stringify({
      to: message.recipient,
      type: message.usageType,
      payload: message.payload,
      ip: message.clientIp || undefined,
      content: message.content && wireContent(message.content),
    });
    const response = await buffered(await fetch(endpoint, { method: "POST", headers, body }));
    if (!response.ok) throw Failure.ofResponse(response);
  },
});

/** A text of the tenant's own, in the names of Logto's e-mail templates. */
function wireContent({ subject, body, contentType, text, replyTo, sendFrom }) {
  return { subject, content: body, contentType, text, replyTo, sendFrom };
}
