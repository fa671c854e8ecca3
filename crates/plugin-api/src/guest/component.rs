//! A plugin as a WebAssembly component.

use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::StreamError;

use super::http::note;
use super::{Http, HttpError, MAX_BODY, Plugin, Request, Response, TIMEOUT, World, dispatch, https_parts};

#[doc(hidden)]
pub mod bindings {
    wit_bindgen::generate!({
        world: "plugin",
        path: "wit",
        pub_export_macro: true,
        export_macro_name: "export_call",
    });
}

#[doc(hidden)]
pub use bindings::{Guest, export_call as export};
#[doc(hidden)]
pub use std::string::String as Text;

/// Runs a method in the world that the host granted. The component's export calls it.
pub fn call(plugin: &impl Plugin, method: &str, params: &str) -> (i32, String) {
    let env = wasip2::cli::environment::get_environment();
    let outcome = dispatch(plugin, method, params, &mut World::new(env, Client));
    (outcome.exit, outcome.stdout)
}

/// HTTPS through `wasi:http`; the host decides which addresses it may reach.
struct Client;

impl Http for Client {
    fn send(&mut self, request: &Request) -> Result<Response, HttpError> {
        let answer = exchange(request);
        if let Err(HttpError::Network(reason)) = &answer {
            // Standard error may be closed, and the answer does not depend on it.
            let _ =
                wasip2::cli::stderr::get_stderr().blocking_write_and_flush(note(request, reason).as_bytes());
        }
        answer
    }
}

fn exchange(request: &Request) -> Result<Response, HttpError> {
    let deadline = Deadline(monotonic_clock::subscribe_duration(nanoseconds()));
    let answer = start(request, &deadline)?;
    let status = answer.status();
    let body = answer
        .consume()
        .map_err(|()| network("the body was read before"))?;
    Ok(Response {
        status,
        body: read(&body, &deadline)?,
    })
}

fn nanoseconds() -> u64 {
    u64::try_from(TIMEOUT.as_nanos()).unwrap_or(u64::MAX)
}

struct Deadline(Pollable);

impl Deadline {
    /// Waits until something is ready or the time is over.
    fn wait(&self, ready: &Pollable) -> Result<(), HttpError> {
        let first = poll(&[ready, &self.0]);
        if first.contains(&0) {
            Ok(())
        } else {
            Err(HttpError::Timeout)
        }
    }
}

fn start(request: &Request, deadline: &Deadline) -> Result<IncomingResponse, HttpError> {
    let Some((authority, path)) = https_parts(&request.url) else {
        return Err(network("not a plain https URL"));
    };
    let headers = Fields::new();
    for (name, value) in &request.headers {
        headers
            .append(name, value.as_bytes())
            .map_err(|_| network("a header cannot be sent"))?;
    }
    let message = OutgoingRequest::new(headers);
    let method = if request.method == "POST" {
        Method::Post
    } else {
        Method::Get
    };
    let refused = |()| network("the request cannot be sent");
    message.set_method(&method).map_err(refused)?;
    message.set_scheme(Some(&Scheme::Https)).map_err(refused)?;
    message.set_authority(Some(authority)).map_err(refused)?;
    message.set_path_with_query(Some(path)).map_err(refused)?;

    let body = message.body().map_err(refused)?;
    let answer = outgoing_handler::handle(message, None).map_err(failure)?;
    write(body, &request.body, deadline)?;
    deadline.wait(&answer.subscribe())?;
    match answer.get() {
        Some(Ok(answer)) => answer.map_err(failure),
        _ => Err(network("no answer")),
    }
}

fn write(body: OutgoingBody, mut bytes: &[u8], deadline: &Deadline) -> Result<(), HttpError> {
    let stream = body.write().map_err(|()| network("the body cannot be sent"))?;
    while !bytes.is_empty() {
        deadline.wait(&stream.subscribe())?;
        let room = stream
            .check_write()
            .map_err(|_| network("the connection was closed"))?;
        let (now, later) = bytes.split_at(bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
        stream
            .write(now)
            .map_err(|_| network("the connection was closed"))?;
        bytes = later;
    }
    stream.flush().map_err(|_| network("the connection was closed"))?;
    drop(stream);
    OutgoingBody::finish(body, None).map_err(failure)
}

fn read(body: &IncomingBody, deadline: &Deadline) -> Result<Vec<u8>, HttpError> {
    let stream = body.stream().map_err(|()| network("the body was read before"))?;
    let mut bytes = Vec::new();
    loop {
        deadline.wait(&stream.subscribe())?;
        match stream.read(64 << 10) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => return Err(network(&error.to_debug_string())),
        }
        if bytes.len() > MAX_BODY {
            return Err(HttpError::TooLong);
        }
    }
}

fn failure(code: ErrorCode) -> HttpError {
    match code {
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::DnsTimeout
        | ErrorCode::HttpResponseTimeout => HttpError::Timeout,
        ErrorCode::HttpResponseBodySize(_) => HttpError::TooLong,
        other => network(&format!("{other:?}")),
    }
}

fn network(reason: &str) -> HttpError {
    HttpError::Network(reason.to_owned())
}
