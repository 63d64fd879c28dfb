//! Serves what the URLs of the catalogue ask for.

use std::{collections::HashMap, io::Read, rc::Rc};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{
    net::{TcpListener, TcpStream},
    task::LocalSet,
    time::timeout,
};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Bytes, Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderMap, StatusCode},
    },
};

use crate::{Conn, Outcome, PATIENCE};

/// Serves until the standard input ends.
pub async fn serve(protocols: &str) {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let protocols: Rc<[String]> = protocols.split(',').map(String::from).collect();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    println!("{}", json!({ "listening": address }));
    let tasks = LocalSet::new();
    tasks
        .run_until(async {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(attend(stream, protocols.clone()));
            }
        })
        .await;
}

fn field<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// What a case asks for: a path and a query.
#[derive(Default)]
struct Target {
    path: String,
    query: HashMap<String, String>,
}

impl Target {
    fn of(request: &Request) -> Target {
        let pairs = request.uri().query().unwrap_or_default().split('&');
        Target {
            path: request.uri().path().into(),
            query: pairs
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (name.into(), unescaped(value)))
                .collect(),
        }
    }

    fn text(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> usize {
        self.text(name).parse().unwrap_or_default()
    }
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        bytes.push(match (first, behind) {
            (b'%', [_, _, after @ ..]) => {
                let digits = std::str::from_utf8(&behind[..2]).unwrap_or_default();
                rest = after;
                u8::from_str_radix(digits, 16).unwrap_or(b'?')
            }
            _ => *first,
        });
    }
    String::from_utf8_lossy(&bytes).into()
}

/// Serves one client.
async fn attend(stream: TcpStream, protocols: Rc<[String]>) {
    let mut target = Target::default();
    let mut chosen = String::new();
    #[allow(clippy::result_large_err)] // as the library has it
    let answer = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        target = Target::of(request);
        let headers = request.headers();
        let origin = field(headers, "Origin");
        if !origin.is_empty() && origin != format!("http://{}", field(headers, "Host")) {
            let mut refusal = ErrorResponse::new(Some(format!("origin {origin} is not allowed")));
            *refusal.status_mut() = StatusCode::FORBIDDEN;
            return Err(refusal);
        }
        let offered: Vec<&str> = field(headers, "Sec-WebSocket-Protocol")
            .split(',')
            .map(str::trim)
            .collect();
        if let Some(name) = protocols
            .iter()
            .find(|name| offered.contains(&name.as_str()))
        {
            chosen = name.clone();
            let value = name.parse().expect("a header value");
            response
                .headers_mut()
                .insert("Sec-WebSocket-Protocol", value);
        }
        Ok(response)
    };
    let Ok(stream) = accept_hdr_async(stream, answer).await else {
        return; // the library has answered
    };
    let mut visit = Visit {
        conn: Conn(stream, chosen),
        target,
        messages: Vec::new(),
        pongs: Vec::new(),
    };
    let done = timeout(PATIENCE, visit.talk()).await;
    let (code, reason, error) = match done.unwrap_or_else(|_| Err("took too long".into())) {
        Ok((code, reason)) => (code, reason, String::new()),
        Err(error) => (1006, String::new(), error),
    };
    let seen = json!({
        "case": visit.target.text("case"), "protocol": visit.conn.1,
        "messages": visit.messages, "pongs": visit.pongs,
        "code": code, "reason": reason, "error": error,
    });
    println!("{seen}");
}

/// A connection of a client.
struct Visit {
    conn: Conn<TcpStream>,
    target: Target,
    messages: Vec<String>,
    pongs: Vec<Value>,
}

impl Visit {
    /// Does what is asked until the connection ends, and returns how.
    async fn talk(&mut self) -> Outcome<(u16, String)> {
        match self.target.path.as_str() {
            "/ping" => {
                for i in 0..self.target.number("count") {
                    let payload = Bytes::from(format!("größer {i}"));
                    self.conn.send(Message::Ping(payload)).await?;
                }
            }
            "/close" => {
                let code = self.target.number("code") as u16;
                self.conn.close(code, self.target.text("reason")).await?;
                return Ok((code, String::new()));
            }
            "/abort" => return Ok((1006, String::new())), // the socket is dropped
            _ => {}
        }
        loop {
            match self.conn.receive().await? {
                Ok(Message::Pong(payload)) => self.ponged(&payload).await?,
                Ok(message) => self.received(message).await?,
                Err(end) => return Ok(end),
            }
        }
    }

    async fn ponged(&mut self, payload: &Bytes) -> Outcome {
        self.pongs.push(String::from_utf8_lossy(payload).into());
        if self.pongs.len() == self.target.number("count") {
            self.conn.send(Message::text("pinged")).await?;
        }
        Ok(())
    }

    async fn received(&mut self, message: Message) -> Outcome {
        let kind = if message.is_text() { "text" } else { "binary" };
        let data = message.clone().into_data();
        let sum: String = Sha256::digest(&data)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        self.messages.push(format!("{kind} {} {sum}", data.len()));
        if self.target.path != "/fragmented" {
            return self.conn.send(message).await;
        }
        let third = data.len() / 3; // within a character
        self.conn
            .send_fragments(&data, [third, third].into_iter())
            .await
    }
}
