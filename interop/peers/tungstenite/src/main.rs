//! A peer that uses tokio-tungstenite: interop-tungstenite client CASES, or
//! interop-tungstenite server SUBPROTOCOL,…

mod server;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::tungstenite::{
    Bytes, Error, Message,
    client::IntoClientRequest,
    error::ProtocolError,
    protocol::{
        CloseFrame,
        frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Outcome<T = ()> = Result<T, String>;

const PATIENCE: Duration = Duration::from_secs(10);
const HELLO: &str = "hello";
const NO_STATUS: u16 = 1005;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let role = args.get(1).map(String::as_str);
    assert!(
        args.len() == 3 && matches!(role, Some("client" | "server")),
        "usage: client CASES, or server SUBPROTOCOL,…"
    );
    println!("{}", json!({ "version": version() }));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    if role == Some("server") {
        return runtime.block_on(server::serve(&args[2]));
    }
    let text = std::fs::read_to_string(&args[2]).expect("the cases");
    let cases: Vec<Value> = serde_json::from_str(&text).expect("the cases");
    for case in &cases {
        let done = runtime.block_on(async { timeout(PATIENCE, run(case)).await });
        let line = match done.unwrap_or_else(|_| Err("took too long".into())) {
            Ok(()) => json!({ "case": case["case"], "ok": true }),
            Err(error) => json!({ "case": case["case"], "error": error }),
        };
        println!("{line}");
    }
}

/// The version that is locked, as the library does not tell it.
fn version() -> &'static str {
    let (_, rest) = include_str!("../Cargo.lock")
        .split_once("name = \"tokio-tungstenite\"\nversion = \"")
        .expect("locked");
    rest.split('"').next().expect("a version")
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_default()
}

fn number(case: &Value, field: &str) -> usize {
    case[field].as_u64().unwrap_or_default() as usize
}

/// What is sent in a case.
fn payload(case: &Value) -> Message {
    match number(case, "repeat") {
        0 => Message::binary(
            (0..number(case, "size"))
                .map(|i| (i % 251) as u8)
                .collect::<Vec<u8>>(),
        ),
        times => Message::text(text(case, "text").repeat(times)),
    }
}

/// The code that an end is told.
fn told(case: &Value) -> u16 {
    match number(case, "code") {
        0 => NO_STATUS,
        code => code as u16,
    }
}

fn want<T: PartialEq + std::fmt::Debug>(got: T, expected: T, what: &str) -> Outcome {
    if got == expected {
        return Ok(());
    }
    let brief = |value: T| format!("{value:?}").chars().take(200).collect::<String>();
    Err(format!("{what}: {}, not {}", brief(got), brief(expected)))
}

fn failed(err: Error) -> String {
    format!("{err:?}")
}

struct Conn<S>(WebSocketStream<S>, String);

/// How a connection ended.
type End = (u16, String);

impl Conn<MaybeTlsStream<TcpStream>> {
    async fn open(case: &Value) -> Result<Self, Error> {
        let mut request = text(case, "url").into_client_request()?;
        let offer: Vec<&str> = case["offer"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (name, value) in [
            ("Sec-WebSocket-Protocol", offer.join(", ")),
            ("Origin", text(case, "origin").into()),
        ] {
            if !value.is_empty() {
                request
                    .headers_mut()
                    .insert(name, value.parse().expect("a header value"));
            }
        }
        let (stream, response) = connect_async(request).await?;
        let agreed = response
            .headers()
            .get("Sec-WebSocket-Protocol")
            .map(|v| v.to_str().unwrap_or("?").to_string());
        Ok(Conn(stream, agreed.unwrap_or_default()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conn<S> {
    async fn send(&mut self, message: Message) -> Outcome {
        self.0.send(message).await.map_err(failed)
    }

    /// Returns a message or pong, or how the connection ended. Pings are
    /// answered by the library, while it reads.
    async fn receive(&mut self) -> Outcome<Result<Message, End>> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Ping(_))) => {}
                Some(Ok(Message::Close(frame))) => {
                    let end = frame.map(|f| (u16::from(f.code), f.reason.to_string()));
                    // Until the library is read to its end it has not answered.
                    while let Some(Ok(_)) = self.0.next().await {}
                    return Ok(Err(end.unwrap_or((NO_STATUS, String::new()))));
                }
                Some(Ok(message)) => return Ok(Ok(message)),
                Some(Err(
                    Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::Io(_),
                ))
                | None => return Ok(Err((1006, String::new()))),
                Some(Err(err)) => return Err(failed(err)),
            }
        }
    }

    async fn expect(&mut self, message: Message) -> Outcome {
        want(self.receive().await?, Ok(message), "message")
    }

    async fn echo(&mut self, message: Message) -> Outcome {
        self.send(message.clone()).await?;
        self.expect(message).await
    }

    /// Sends a text in fragments.
    async fn send_fragments(
        &mut self,
        bytes: &Bytes,
        splits: impl Iterator<Item = usize>,
    ) -> Outcome {
        let mut from = 0;
        for to in splits.chain([bytes.len()]) {
            let opcode = OpCode::Data(if from == 0 {
                Data::Text
            } else {
                Data::Continue
            });
            let frame = Frame::message(bytes.slice(from..to), opcode, to == bytes.len());
            self.send(Message::Frame(frame)).await?;
            from = to;
        }
        Ok(())
    }

    async fn close(&mut self, code: u16, reason: &str) -> Outcome {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        self.0
            .close((code != NO_STATUS).then_some(frame))
            .await
            .map_err(failed)?;
        match self.receive().await? {
            Err((answer, _)) => want(answer, code, "code of the answer"),
            Ok(message) => Err(format!("{message:?} after Close")),
        }
    }
}

async fn run(case: &Value) -> Outcome {
    let verb = text(case, "verb");
    let opened = Conn::open(case).await;
    if verb == "refused" {
        return match opened {
            Err(Error::Http(response)) => want(response.status().as_u16(), 403, "status"),
            Err(err) => Err(failed(err)),
            Ok(_) => Err("opened".into()),
        };
    }
    if verb == "subprotocol" && text(case, "agreed").is_empty() && case["offer"].is_array() {
        // The library insists on a subprotocol when it offered one.
        return match opened {
            Err(Error::Protocol(_)) => Ok(()),
            Err(err) => Err(failed(err)),
            Ok(_) => Err("opened without a subprotocol".into()),
        };
    }
    let mut conn = opened.map_err(failed)?;
    want(conn.1.as_str(), text(case, "agreed"), "subprotocol")?;
    match verb {
        "echo" | "reassemble" => conn.echo(payload(case)).await?,
        "burst" => {
            let messages =
                || (0..number(case, "count")).map(|i| Message::text(format!("message {i}")));
            for message in messages() {
                conn.send(message).await?;
            }
            for message in messages() {
                conn.expect(message).await?;
            }
        }
        "fragments" => fragments(&mut conn, case).await?,
        "ping" => {
            let payloads = || {
                (0..number(case, "count"))
                    .map(|i| Bytes::from(format!("{}{i}", text(case, "text"))))
            };
            for payload in payloads() {
                conn.send(Message::Ping(payload)).await?;
            }
            for payload in payloads() {
                conn.expect(Message::Pong(payload)).await?;
            }
            conn.echo(Message::text(HELLO)).await?;
        }
        "pinged" => conn.expect(Message::text("pinged")).await?,
        "close" => {
            conn.echo(Message::text(HELLO)).await?;
            return conn.close(told(case), text(case, "reason")).await;
        }
        "closed" => {
            return want(
                conn.receive().await?,
                Err((told(case), text(case, "reason").into())),
                "end",
            );
        }
        "lost" => return want(conn.receive().await?, Err((1006, String::new())), "end"),
        "vanish" => return conn.echo(Message::text(HELLO)).await, // the socket is dropped
        "subprotocol" => conn.echo(Message::text(HELLO)).await?,
        _ => return Err(format!("no such verb: {verb}")),
    }
    conn.close(1000, "").await
}

async fn fragments<S: AsyncRead + AsyncWrite + Unpin>(conn: &mut Conn<S>, case: &Value) -> Outcome {
    let message = payload(case);
    let bytes = message.clone().into_data();
    let splits = case["splits"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64)
        .map(|at| at as usize);
    conn.send_fragments(&bytes, splits).await?;
    conn.expect(message).await
}
