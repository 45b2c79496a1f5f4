// Postmark: one e-mail from a template that is kept at Postmark, or with a text of its own.
//
// Protocol: https://postmarkapp.com/developer/api/templates-api#email-with-template,
// https://postmarkapp.com/developer/api/email-api#send-a-single-email; codes:
// https://postmarkapp.com/developer/api/overview#error-codes; all read 2026-11-21.

import {
  Failure,
  Mailbox,
  connector,
  kindOfStatus,
  object,
  post,
  templates,
  text,
} from "../../../sdk/index.js";

const TEMPLATE_URL = "https://api.postmarkapp.com/email/withTemplate";
const TEXT_URL = "https://api.postmarkapp.com/email";

export default connector({
  about: {
    id: "postmark",
    channel: "email",
    titles: { en: "Postmark", de: "Postmark", "zh-CN": "Postmark" },
    descriptions: {
      en: "Transactional e-mail by Postmark, with templates that are kept there.",
      de: "Transaktionale E-Mails über Postmark, mit dort gepflegten Vorlagen.",
      "zh-CN": "通过 Postmark 及其模板发送事务性邮件。",
    },
    hosts: ["api.postmarkapp.com"],
  },

  settings: object({
    serverToken: text(),
    fromEmail: text(),
    templates: templates({ templateAlias: text() }),
  }),

  request(settings, message) {
    const request = (url) =>
      post(url)
        .header("accept", "application/json")
        .secretHeader("x-postmark-server-token", settings.serverToken);
    const { content } = message;
    if (!content) {
      return request(TEMPLATE_URL).json({
        From: settings.fromEmail,
        TemplateAlias: settings.templates.choose(message.usageType).templateAlias,
        To: message.recipient,
        TemplateModel: message.payload,
      });
    }
    return request(TEXT_URL).json({
      From: String(message.sender(Mailbox.parse(settings.fromEmail))),
      ReplyTo: message.replyTo,
      To: message.recipient,
      HtmlBody: content.html,
      Subject: content.subject,
      TextBody: content.plain,
    });
  },

  receipt(response) {
    const answer = response.json();
    if (answer?.ErrorCode) throw refusal(response, answer);
    return { providerMessageId: answer?.MessageID, detail: answer?.Message };
  },

  failure(response) {
    const answer = response.json();
    return answer?.ErrorCode ? refusal(response, answer) : Failure.ofResponse(response);
  },
});

/** A refusal by its API error code, which says more than the status code. */
function refusal(response, { ErrorCode, Message }) {
  return Failure.ofProvider(response, kindOfCode(ErrorCode, response.status, Message), ErrorCode, Message);
}

function kindOfCode(code, status, words) {
  switch (code) {
    case 10: // Bad or missing token.
    case 412: // The account is not approved.
    case 413: // The account may not send.
      return "unauthorized";
    case 100: // Maintenance.
      return "unavailable";
    case 400: // Sender signature not found: `fromEmail` is wrong.
    case 401: // Sender signature not confirmed.
      return "invalid-settings";
    case 405: // Out of credits.
    case 429: // Rate limit.
      return "throttled";
    case 1100: // Template id unknown.
    case 1101: // Template alias unknown.
      return "template-not-found";
    case 300: // A recipient that is no address, or the sender's.
    case 406: // Inactive recipient.
      return words?.includes("'From'") ? "invalid-settings" : "rejected";
    default: // Nothing that is known of the recipient.
      return status < 500 ? "invalid-settings" : kindOfStatus(status);
  }
}
