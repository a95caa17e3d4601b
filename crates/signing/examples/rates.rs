//! Prints the time per signature. Run it in release mode.
#![expect(clippy::print_stdout, reason = "printing is what this example is for")]

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use signing::cloudfront::{HashAlgorithm, PrivateKey, Signer};
use signing::s3::{Bucket, Credentials, Endpoint, Method, PresignRequest, Presigner, Region};

const NOW: u64 = 1_767_200_000;

fn main() -> Result<(), Box<dyn Error>> {
    measure_s3()?;
    measure_cloudfront()
}

fn measure_s3() -> Result<(), Box<dyn Error>> {
    let presigner = Presigner::new(Endpoint::Aws);
    let (region, bucket) = (Region::new("us-east-1")?, Bucket::new("examplebucket")?);
    let request = PresignRequest {
        method: Method::Get,
        region: &region,
        bucket: &bucket,
        key: "photos/2026/11/cat.jpg",
        query: &[],
        expires_in: 3600,
    };
    let token = "IQoJb3JpZ2luX2VjEHoaCXVzLWVhc3QtMSJH/+".repeat(24);
    for (name, token) in [("S3 presign", None), ("S3 presign, session token", Some(token))] {
        let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI", token, None);
        print_mean(name, || presigner.presign(&request, &credentials, NOW).is_ok());
    }
    Ok(())
}

fn measure_cloudfront() -> Result<(), Box<dyn Error>> {
    let url = "https://d111111abcdef8.cloudfront.net/O1/D2/P3/image.jpg";
    for hash in [HashAlgorithm::Sha256, HashAlgorithm::Sha1] {
        for key in [PrivateKey::generate_p256()?, PrivateKey::generate_rsa()?] {
            let name = format!("CloudFront {:?} {hash}", key.algorithm());
            let signer = Signer::new("K2JCJMDEHXQW5F".parse()?, key, hash);
            print_mean(&name, || signer.sign_canned_url(url, NOW).is_ok());
        }
    }
    Ok(())
}

/// Calls `sign` for half a second and prints the mean time per call.
fn print_mean(name: &str, sign: impl Fn() -> bool) {
    let begin = Instant::now();
    let mut calls = 0_u32;
    while begin.elapsed() < Duration::from_millis(500) {
        for _ in 0..64 {
            black_box(sign());
        }
        calls += 64;
    }
    println!("{name:<32} {:>10.2?}", begin.elapsed() / calls);
}
