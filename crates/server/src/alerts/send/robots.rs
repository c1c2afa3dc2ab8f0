//! Channels that are spoken to by JSON over HTTP: what each of them takes, and how each says that it did not.

use super::http::{Answer, Door, Shut};
use super::{Message, Secrets, Sent};
use crate::config::Secret;
use crate::decide::alerts::text::cut;
use crate::decide::chain::hex;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clockwright_api::alerts::ChannelKind;
use clockwright_model::Millis;
use serde_json::{Value, json};

/// How much of a message DingTalk and Lark take, bytes; …
const LARGE: usize = 18_000;
/// … and WeCom, …
const SMALL: usize = 2_000;
/// … and Slack.
const LARGEST: usize = 30_000;
/// How long a robot is left alone that says it hears too much, milliseconds.
const QUIET: Millis = 600_000;

/// What is sent.
struct Request {
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Value,
}

pub(super) async fn send(door: &Door, kind: ChannelKind, secrets: &Secrets, message: &Message<'_>) -> Sent {
    let Some(url) = &secrets.url else { return Sent::Never("the channel has no address".to_owned()) };
    let mut request = match kind {
        ChannelKind::Dingtalk => dingtalk(url, secrets.secret.as_ref(), message),
        ChannelKind::Wecom => {
            plain(url, json!({ "msgtype": "text", "text": { "content": whole(message, SMALL) } }))
        }
        ChannelKind::Lark => lark(url, secrets.secret.as_ref(), message),
        ChannelKind::Slack => plain(url, json!({ "text": escaped(&whole(message, LARGEST)) })),
        ChannelKind::Webhook | ChannelKind::Mail => plain(url, webhook(message)),
    };
    let body = request.body.to_string();
    if kind == ChannelKind::Webhook {
        request.headers = signed(secrets, message, &body);
    }
    match door.post(&request.url, &request.headers, body).await {
        Err(Shut::Never(why)) => Sent::Never(why),
        Err(Shut::Later(why)) => Sent::Later(why, 0),
        Ok(answer) => judged(kind, &answer),
    }
}

fn plain(url: &Secret, body: Value) -> Request {
    Request { url: url.reveal().to_owned(), headers: Vec::new(), body }
}

fn whole(message: &Message<'_>, most: usize) -> String {
    cut(&message.text.whole(), most)
}

/// What Slack takes for marks of its own.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Everything, for a program.
fn webhook(message: &Message<'_>) -> Value {
    let alerts: Vec<Value> = message
        .notices
        .iter()
        .map(|notice| {
            let mut alert = serde_json::to_value(notice).unwrap_or_default();
            alert["text"] = notice.condition.say(&notice.params, clockwright_model::Language::English).into();
            alert
        })
        .collect();
    json!({
        "delivery": message.id,
        "at": clockwright_api::At(message.now),
        "title": message.text.title,
        "text": message.text.body,
        "test": message.notices.is_empty(),
        "alerts": alerts,
    })
}

/// The time and a signature by each secret, of the time and the body: an old message sent again by somebody else is told by its time.
fn signed(secrets: &Secrets, message: &Message<'_>, body: &str) -> Vec<(&'static str, String)> {
    let at = message.now / 1_000;
    let mut signature = format!("t={at}");
    for secret in [&secrets.secret, &secrets.second].into_iter().flatten() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
        let tag = hmac::sign(&key, format!("{at}.{body}").as_bytes());
        signature += &format!(",v1={}", hex(tag.as_ref()));
    }
    let mut headers = vec![("clockwright-delivery", message.id.to_owned())];
    if signature.contains("v1=") {
        headers.push(("clockwright-signature", signature));
    }
    headers
}

/// The time in milliseconds, and the signature of it, stand in the address.
fn dingtalk(url: &Secret, secret: Option<&Secret>, message: &Message<'_>) -> Request {
    let mut url = url.reveal().to_owned();
    if let Some(secret) = secret {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
        let tag = hmac::sign(&key, format!("{}\n{}", message.now, secret.reveal()).as_bytes());
        if let Ok(mut parsed) = url::Url::parse(&url) {
            let sign = STANDARD.encode(tag.as_ref());
            parsed
                .query_pairs_mut()
                .append_pair("timestamp", &message.now.to_string())
                .append_pair("sign", &sign);
            url = parsed.into();
        }
    }
    let body = json!({ "msgtype": "text", "text": { "content": whole(message, LARGE) } });
    Request { url, headers: Vec::new(), body }
}

/// The time in seconds, and the signature of nothing by both together, stand in the body.
fn lark(url: &Secret, secret: Option<&Secret>, message: &Message<'_>) -> Request {
    let mut body = json!({ "msg_type": "text", "content": { "text": whole(message, LARGE) } });
    if let Some(secret) = secret {
        let at = message.now / 1_000;
        let key = hmac::Key::new(hmac::HMAC_SHA256, format!("{at}\n{}", secret.reveal()).as_bytes());
        body["timestamp"] = at.to_string().into();
        body["sign"] = STANDARD.encode(hmac::sign(&key, b"").as_ref()).into();
    }
    plain(url, body)
}

/// What an answer means. Robots answer 200 whatever happened, and say it in their own code.
fn judged(kind: ChannelKind, answer: &Answer) -> Sent {
    let said = cut(answer.body.trim(), 200);
    let words = format!("answered {}: {said}", answer.status);
    if !(200..300).contains(&answer.status) {
        return Sent::Later(words, answer.wait.unwrap_or_default().clamp(0, 86_400) * 1_000);
    }
    let json: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let code = match kind {
        ChannelKind::Dingtalk | ChannelKind::Wecom => json["errcode"].as_i64(),
        ChannelKind::Lark => json["code"].as_i64().or(json["StatusCode"].as_i64()),
        _ => Some(0),
    };
    match code {
        Some(0) => Sent::Taken(words),
        // They hear too much: DingTalk, WeCom, Lark.
        Some(130_101 | 45_009 | 9_499 | 11_232) => Sent::Later(words, QUIET),
        _ => Sent::Later(words, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::alerts::text::Text;

    fn message(notices: &[crate::decide::alerts::text::Notice]) -> Message<'_> {
        let text = Text { title: "[test] <x> & y".into(), body: "body".into() };
        Message { id: "d1", text, notices, now: 1_700_000_000_123 }
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, wait: Some(7), body: body.into() }
    }

    #[test]
    fn robots_say_by_their_own_code_that_they_did_not_take_it() {
        for (kind, body, taken) in [
            (ChannelKind::Dingtalk, r#"{"errcode":0,"errmsg":"ok"}"#, true),
            (ChannelKind::Dingtalk, r#"{"errcode":310000,"errmsg":"sign not match"}"#, false),
            (ChannelKind::Wecom, r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#, false),
            (ChannelKind::Wecom, "not json", false),
            (ChannelKind::Lark, r#"{"code":0,"msg":"success"}"#, true),
            (ChannelKind::Lark, r#"{"StatusCode":0}"#, true),
            (ChannelKind::Lark, r#"{"code":19021,"msg":"sign match fail"}"#, false),
            (ChannelKind::Slack, "ok", true),
            (ChannelKind::Webhook, "", true),
        ] {
            let judged = judged(kind, &answer(200, body));
            assert_eq!(matches!(judged, Sent::Taken(_)), taken, "{kind:?} {body}");
        }
        assert!(matches!(
            judged(ChannelKind::Dingtalk, &answer(200, r#"{"errcode":130101}"#)),
            Sent::Later(_, QUIET)
        ));
        assert!(matches!(judged(ChannelKind::Slack, &answer(429, "")), Sent::Later(_, 7_000)));
    }

    #[test]
    fn a_webhook_is_signed_by_both_secrets_while_they_change() {
        let secrets = Secrets {
            url: None,
            secret: Some("old".to_owned().into()),
            second: Some("new".to_owned().into()),
        };
        let headers = signed(&secrets, &message(&[]), "{}");
        assert_eq!(headers[0], ("clockwright-delivery", "d1".to_owned()));
        let (_, signature) = &headers[1];
        assert!(signature.starts_with("t=1700000000,v1="), "{signature}");
        assert_eq!(signature.matches("v1=").count(), 2);
        // As `printf '1700000000.{}' | openssl dgst -sha256 -hmac old` says it.
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"old");
        let first = signature.split(',').nth(1).and_then(|part| part.strip_prefix("v1=")).unwrap_or_default();
        let bytes: Vec<u8> = (0..first.len())
            .step_by(2)
            .filter_map(|at| u8::from_str_radix(&first[at..at + 2], 16).ok())
            .collect();
        assert!(hmac::verify(&key, b"1700000000.{}", &bytes).is_ok());
        assert_eq!(signed(&Secrets::default(), &message(&[]), "{}").len(), 1);
    }

    #[test]
    fn dingtalk_is_signed_in_the_address_and_lark_in_the_body() {
        let (url, secret) = (
            Secret::from("https://oapi.dingtalk.com/robot/send?access_token=x".to_owned()),
            Secret::from("SEC1".to_owned()),
        );
        let request = dingtalk(&url, Some(&secret), &message(&[]));
        assert!(request.url.contains("access_token=x&timestamp=1700000000123&sign="), "{}", request.url);
        let request = lark(&url, Some(&secret), &message(&[]));
        assert_eq!(request.body["timestamp"], "1700000000");
        assert_eq!(
            STANDARD.decode(request.body["sign"].as_str().unwrap_or_default()).map(|sign| sign.len()),
            Ok(32)
        );
    }

    #[test]
    fn slack_takes_no_mark_for_one_of_its_own() {
        assert_eq!(escaped("<!channel> & co"), "&lt;!channel&gt; &amp; co");
    }
}
