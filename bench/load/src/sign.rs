//! How often one core signs with the library that Genkan uses: the bound that
//! no token endpoint passes.

use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::json;

use crate::Failure;
use crate::process::cpu_seconds;

/// Bytes that are signed: a header and the claims of an access token.
const MESSAGE: [u8; 700] = [b'x'; 700];

#[derive(clap::Args)]
pub struct Args {
    /// ES256 or RS256
    algorithm: String,
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let random = SystemRandom::new();
    let mut sign: Box<dyn FnMut() -> Result<(), Failure>> = match args.algorithm.as_str() {
        "ES256" => {
            let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
            Box::new(move || Ok(key.sign(&random, &MESSAGE).map(drop)?))
        }
        "RS256" => {
            let key = RsaKeyPair::generate(KeySize::Rsa2048)?;
            let mut signature = vec![0; key.public_modulus_len()];
            Box::new(move || Ok(key.sign(&RSA_PKCS1_SHA256, &random, &MESSAGE, &mut signature)?))
        }
        other => return Err(format!("{other} is neither ES256 nor RS256").into()),
    };
    let (started, cpu) = (Instant::now(), cpu_seconds(std::process::id())?);
    let mut done = 0_u32;
    while started.elapsed() < Duration::from_secs_f64(args.seconds) {
        sign()?;
        done += 1;
    }
    let cpu = cpu_seconds(std::process::id())? - cpu;
    println!("{}", json!({ "per_core_second": f64::from(done) / cpu }));
    Ok(())
}
