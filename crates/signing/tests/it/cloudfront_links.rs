//! Signing and verifying against each other, and verifying manipulated links.

use std::sync::LazyLock;

use proptest::prelude::*;
use signing::cloudfront::{
    CustomPolicy, HashAlgorithm, KeyPairId, PrivateKey, SignError, Signer, Verifier, VerifyError,
};

const URL: &str = "https://d111111abcdef8.cloudfront.net/O1/D2/P45/a%20b.json?q=1";
const FOLDER: &str = "https://d111111abcdef8.cloudfront.net/O1/D2/P45/*";
const END: u64 = 1_767_290_400;
const NOW: u64 = END - 1;

/// A signer for each key algorithm and hash algorithm, and a verifier that trusts them all.
struct SignerSet {
    signers: Vec<Signer>,
    verifier: Verifier,
}

static SIGNERS: LazyLock<SignerSet> = LazyLock::new(|| {
    let rsa = PrivateKey::generate_rsa().unwrap().to_pkcs8_pem().unwrap();
    let p256 = PrivateKey::generate_p256().unwrap().to_pkcs8_pem().unwrap();
    let signer = |id: &str, pem: &str, hash| {
        Signer::new(id.parse().unwrap(), PrivateKey::from_pem(pem).unwrap(), hash)
    };
    let signers = vec![
        signer("KRSA256", &rsa, HashAlgorithm::Sha256),
        signer("KRSA1", &rsa, HashAlgorithm::Sha1),
        signer("KEC256", &p256, HashAlgorithm::Sha256),
        signer("KEC1", &p256, HashAlgorithm::Sha1),
    ];
    let keys = |signer: &Signer| (signer.key_pair_id().clone(), signer.private_key().public_key().unwrap());
    let verifier = signers.iter().map(keys).collect();
    SignerSet { signers, verifier }
});

/// A canned and a custom link to [`URL`] by every signer.
fn sign_links() -> impl Iterator<Item = (HashAlgorithm, String)> {
    SIGNERS.signers.iter().flat_map(|signer| {
        let policy = CustomPolicy::new(FOLDER, END).unwrap();
        let canned = signer.sign_canned_url(URL, END).unwrap();
        let custom = signer.sign_custom_url(URL, &policy).unwrap();
        [(signer.hash(), canned), (signer.hash(), custom)]
    })
}

#[test]
fn signed_links_verify() {
    for (hash, link) in sign_links() {
        let verified = SIGNERS.verifier.verify_url(&link, NOW, None).unwrap();
        assert_eq!((verified.expires_at, verified.hash), (END, hash));
        assert_eq!(link.ends_with("&Hash-Algorithm=SHA256"), hash == HashAlgorithm::Sha256);
        assert_eq!(SIGNERS.verifier.verify_url(&link, END, None), Err(VerifyError::Expired));
        assert_eq!(SIGNERS.verifier.verify_url(URL, NOW, None), Err(VerifyError::NotSigned));
    }
}

#[test]
fn signed_cookies_verify() {
    for signer in &SIGNERS.signers {
        let policy = CustomPolicy::new(FOLDER, END).unwrap();
        for cookies in
            [signer.sign_canned_cookies(URL, END).unwrap(), signer.sign_custom_cookies(&policy).unwrap()]
        {
            let mut cookies: Vec<_> = cookies.iter().map(|(name, value)| (*name, value.as_str())).collect();
            cookies.push(("session", "x"));
            assert!(SIGNERS.verifier.verify_cookies(URL, &cookies, NOW, None).is_ok());
            let other = URL.replace("P45", "P456");
            assert!(SIGNERS.verifier.verify_cookies(&other, &cookies, NOW, None).is_err());
            cookies.push(("CloudFront-Key-Pair-Id", "KRSA1"));
            let twice = SIGNERS.verifier.verify_cookies(URL, &cookies, NOW, None);
            assert_eq!(twice, Err(VerifyError::DuplicateParameter("CloudFront-Key-Pair-Id")));
        }
    }
    assert_eq!(
        SIGNERS.verifier.verify_cookies(URL, &[("session", "x")], NOW, None),
        Err(VerifyError::NotSigned)
    );
}

#[test]
fn rejects_links_with_any_changed_character() {
    for (_, link) in sign_links() {
        for (at, original) in link.char_indices() {
            for replacement in ['A', 'b', '0', '-', '_', '~', '&', '?', '=', '%', '*', '.'] {
                if replacement == original {
                    continue;
                }
                let changed = format!("{}{replacement}{}", &link[..at], &link[at + 1..]);
                let verified = SIGNERS.verifier.verify_url(&changed, NOW, None);
                // A custom policy covers the whole folder, so another object in it is fine.
                let still_covered = link.contains("Policy=") && at >= FOLDER.len() - 1 && at < URL.len();
                assert!(verified.is_err() || still_covered, "{changed}");
            }
        }
    }
}

#[test]
fn requires_every_parameter_exactly_once() {
    for (_, link) in sign_links() {
        let (base, query) = link.split_once('&').unwrap();
        let pieces: Vec<&str> = query.split('&').collect();
        for (at, piece) in pieces.iter().enumerate() {
            let name = piece.split('=').next().unwrap();
            let without: Vec<&str> = [&pieces[..at], &pieces[at + 1..]].concat();
            let without = format!("{base}&{}", without.join("&"));
            let refused = SIGNERS.verifier.verify_url(&without, NOW, None).unwrap_err();
            let expected = match name {
                "Policy" | "Expires" => VerifyError::MissingParameter("Expires"),
                "Signature" => VerifyError::MissingParameter("Signature"),
                "Key-Pair-Id" => VerifyError::MissingParameter("Key-Pair-Id"),
                _ => VerifyError::SignatureMismatch,
            };
            assert_eq!(refused, expected, "{without}");
            let twice = SIGNERS.verifier.verify_url(&format!("{link}&{piece}"), NOW, None).unwrap_err();
            assert!(matches!(twice, VerifyError::DuplicateParameter(twice) if twice == name), "{twice:?}");
        }
    }
}

#[test]
fn rejects_manipulated_links() {
    let link = SIGNERS.signers[0].sign_canned_url(URL, END).unwrap();
    for (from, to, reason) in [
        ("=SHA256", "=SHA1", VerifyError::UnsupportedHashAlgorithm),
        ("=SHA256", "=sha256", VerifyError::UnsupportedHashAlgorithm),
        ("=SHA256", "=", VerifyError::UnsupportedHashAlgorithm),
        ("KRSA256", "KRSA2567", VerifyError::UnknownKey),
        ("KRSA256", "", VerifyError::MalformedParameter("Key-Pair-Id")),
        ("KRSA256", "KEC256", VerifyError::SignatureMismatch),
        ("Expires=1767290400", "Expires=1767290401", VerifyError::SignatureMismatch),
        ("Expires=1767290400", "Expires=01767290400", VerifyError::MalformedParameter("Expires")),
        ("Expires=1767290400", "Expires=", VerifyError::MalformedParameter("Expires")),
        ("Signature=", "Signature=A", VerifyError::MalformedParameter("Signature")),
        ("Expires=", "Policy=AAAA&Expires=", VerifyError::ExpiresAndPolicy),
        ("Expires=1767290400", "Policy=AAAA", VerifyError::SignatureMismatch),
        ("Expires=1767290400", "Policy=AAA=", VerifyError::MalformedParameter("Policy")),
        ("/P45/", "/p45/", VerifyError::SignatureMismatch),
        ("https:", "http:", VerifyError::SignatureMismatch),
        ("q=1", "q=1&r=2", VerifyError::SignatureMismatch),
        ("q=1&", "", VerifyError::SignatureMismatch),
    ] {
        let changed = link.replacen(from, to, 1);
        assert_ne!(changed, link);
        assert_eq!(SIGNERS.verifier.verify_url(&changed, NOW, None), Err(reason), "{changed}");
    }
}

#[test]
fn does_not_sign_a_url_outside_the_policy() {
    let policy = CustomPolicy::new(FOLDER, END).unwrap();
    let sibling = URL.replace("P45", "P456");
    assert_eq!(SIGNERS.signers[0].sign_custom_url(&sibling, &policy), Err(SignError::UrlOutsidePolicy));
    let once = SIGNERS.signers[0].sign_custom_url(URL, &policy).unwrap();
    assert_eq!(SIGNERS.signers[0].sign_custom_url(&once, &policy), Err(SignError::ReservedParameter));
}

#[test]
fn a_star_in_a_canned_link_is_literal() {
    let link = SIGNERS.signers[2].sign_canned_url("https://h/a/*", END).unwrap();
    assert!(SIGNERS.verifier.verify_url(&link, NOW, None).is_ok());
    assert_eq!(
        SIGNERS.verifier.verify_url(&link.replace('*', "x"), NOW, None),
        Err(VerifyError::SignatureMismatch)
    );
}

#[test]
fn threads_can_share_signers() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    for (_, link) in sign_links() {
                        assert!(SIGNERS.verifier.verify_url(&link, NOW, None).is_ok());
                    }
                }
            });
        }
    });
}

#[test]
fn debug_output_has_no_keys() {
    let text = format!("{:?} {:?}", SIGNERS.signers, SIGNERS.verifier);
    assert!(!text.contains("BEGIN") && text.len() < 1500, "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_folder_policy_excludes_siblings(package in 0..5000_u32, other in 0..5000_u32, tail in "[a-z0-9/._-]{0,20}") {
        let signer = &SIGNERS.signers[2];
        let folder = |id: u32| format!("https://h.example/O1/D2/P{id}/");
        let policy = CustomPolicy::new(format!("{}*", folder(package)), END).unwrap();
        let query = signer.sign_custom_query(&policy).unwrap();
        let link = format!("{}{tail}?{query}", folder(other));
        prop_assert_eq!(SIGNERS.verifier.verify_url(&link, NOW, None).is_ok(), package == other);
    }

    #[test]
    fn every_signed_url_verifies(path in "[A-Za-z0-9~._/!$'()*,;:@-]{0,40}", query in "([a-z]{1,3}=[a-z%20]{0,3}&)*[a-z]=1") {
        let url = format!("https://h.example/{path}?{query}");
        if let Ok(link) = SIGNERS.signers[2].sign_canned_url(&url, END) {
            prop_assert!(SIGNERS.verifier.verify_url(&link, NOW, None).is_ok(), "{}", link);
        }
    }

    #[test]
    fn no_input_makes_the_verifier_panic(url in any::<String>(), query in "[A-Za-z=&?_~-]{0,80}") {
        prop_assert!(SIGNERS.verifier.verify_url(&url, NOW, None).is_err());
        let url = format!("https://h/?Policy={query}&Signature={query}&Key-Pair-Id=KRSA1");
        prop_assert!(SIGNERS.verifier.verify_url(&url, NOW, None).is_err());
        let cookies = [("CloudFront-Policy", query.as_str()), ("CloudFront-Signature", url.as_str())];
        prop_assert!(SIGNERS.verifier.verify_cookies(&url, &cookies, NOW, None).is_err());
    }

    #[test]
    fn key_pair_ids_are_alphanumeric(id in any::<String>()) {
        if let Ok(id) = KeyPairId::new(id) {
            prop_assert!(id.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
    }
}
