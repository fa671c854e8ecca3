//! The health service that load balancers and orchestrators ask.
//!
//! Source: GRPC Health Checking Protocol (`grpc/health/v1/health.proto`).

use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tonic::{Request, Response, Status};
use tonic_health::ServingStatus;
use tonic_health::pb::health_check_response::ServingStatus as Reported;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_server};

/// How long one `Watch` lasts. The protocol tells clients to watch again. The listener ends
/// every exchange at some time; this ends it cleanly before.
const WATCH: Duration = Duration::from_secs(60);

/// Whether this process wants requests. Clones share the answer.
#[derive(Debug, Clone)]
pub struct Health {
    status: watch::Sender<ServingStatus>,
}

impl Health {
    /// Serving, from the start.
    pub fn new() -> Self {
        Self {
            status: watch::Sender::new(ServingStatus::Serving),
        }
    }

    /// Stops being healthy, for good: call it when shutdown begins, so that load
    /// balancers look elsewhere while requests in flight finish. Ends every `Watch`.
    pub fn drain(&self) {
        self.status.send_replace(ServingStatus::NotServing);
    }

    pub fn is_serving(&self) -> bool {
        *self.status.borrow() == ServingStatus::Serving
    }

    /// Only the process as a whole has a health: the service name is empty.
    fn known(request: &HealthCheckRequest) -> bool {
        request.service.is_empty() || request.service == "grpc.health.v1.Health"
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

fn report(status: Reported) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

fn reported(serving: bool) -> Reported {
    if serving {
        Reported::Serving
    } else {
        Reported::NotServing
    }
}

#[tonic::async_trait]
impl health_server::Health for Health {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if Self::known(request.get_ref()) {
            Ok(Response::new(report(reported(self.is_serving()))))
        } else {
            Err(Status::not_found(
                "Genkan reports the health of the whole process: ask with an empty service name",
            ))
        }
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    /// The present status, and every change. An unknown service is reported as such and not
    /// refused, because the protocol says that it might appear.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let watch = Watch {
            known: Self::known(request.get_ref()),
            changes: self.status.subscribe(),
            until: Instant::now() + WATCH,
            next: WatchStep::Report,
        };
        Ok(Response::new(stream::unfold(watch, Watch::step).boxed()))
    }
}

/// One client that watches.
struct Watch {
    known: bool,
    changes: watch::Receiver<ServingStatus>,
    until: Instant,
    next: WatchStep,
}

enum WatchStep {
    Report,
    AwaitChange,
    Fail(&'static str),
    End,
}

impl Watch {
    async fn step(mut self) -> Option<(Result<HealthCheckResponse, Status>, Self)> {
        if let WatchStep::AwaitChange = self.next {
            self.next = match timeout_at(self.until, self.changes.changed()).await {
                Ok(Ok(())) => WatchStep::Report,
                Ok(Err(_)) | Err(_) => WatchStep::Fail("this watch is over: watch again"),
            };
        }
        match self.next {
            WatchStep::Report | WatchStep::AwaitChange => {
                let serving = *self.changes.borrow_and_update() == ServingStatus::Serving;
                self.next = if serving {
                    WatchStep::AwaitChange
                } else {
                    WatchStep::Fail("Genkan is stopping")
                };
                let status = if self.known {
                    reported(serving)
                } else {
                    Reported::ServiceUnknown
                };
                Some((Ok(report(status)), self))
            }
            WatchStep::Fail(reason) => {
                self.next = WatchStep::End;
                Some((Err(Status::unavailable(reason)), self))
            }
            WatchStep::End => None,
        }
    }
}
