//! Signing and verifying against each other, and what happens to a link that somebody changes.

use std::sync::LazyLock;

use proptest::prelude::*;
use signing::cloudfront::{CustomPolicy, Hash, KeyPairId, PrivateKey, Refused, SignError, Signer, Verifier};

const URL: &str = "https://d111111abcdef8.cloudfront.net/O1/D2/P45/a%20b.json?q=1";
const FOLDER: &str = "https://d111111abcdef8.cloudfront.net/O1/D2/P45/*";
const END: u64 = 1_767_290_400;
const NOW: u64 = END - 1;

/// Each kind of key with each hash, and a verifier that trusts them all.
struct Ring {
    signers: Vec<Signer>,
    verifier: Verifier,
}

static RING: LazyLock<Ring> = LazyLock::new(|| {
    let rsa = PrivateKey::generate_rsa().unwrap().to_pkcs8_pem().unwrap();
    let p256 = PrivateKey::generate_p256().unwrap().to_pkcs8_pem().unwrap();
    let signer = |id: &str, pem: &str, hash| {
        Signer::new(id.parse().unwrap(), PrivateKey::from_pem(pem).unwrap(), hash)
    };
    let signers = vec![
        signer("KRSA256", &rsa, Hash::Sha256),
        signer("KRSA1", &rsa, Hash::Sha1),
        signer("KEC256", &p256, Hash::Sha256),
        signer("KEC1", &p256, Hash::Sha1),
    ];
    let keys = |signer: &Signer| (signer.key_pair_id().clone(), signer.private_key().public_key().unwrap());
    let verifier = signers.iter().map(keys).collect();
    Ring { signers, verifier }
});

/// Every link to [`URL`]: canned and custom, by every signer.
fn links() -> impl Iterator<Item = (Hash, String)> {
    RING.signers.iter().flat_map(|signer| {
        let policy = CustomPolicy::new(FOLDER, END).unwrap();
        let canned = signer.sign_canned(URL, END).unwrap();
        let custom = signer.sign_custom(URL, &policy).unwrap();
        [(signer.hash(), canned), (signer.hash(), custom)]
    })
}

#[test]
fn what_is_signed_verifies() {
    for (hash, link) in links() {
        let verified = RING.verifier.verify(&link, NOW, None).unwrap();
        assert_eq!((verified.expires_at, verified.hash), (END, hash));
        assert_eq!(link.ends_with("&Hash-Algorithm=SHA256"), hash == Hash::Sha256);
        assert_eq!(RING.verifier.verify(&link, END, None), Err(Refused::Expired));
        assert_eq!(RING.verifier.verify(URL, NOW, None), Err(Refused::NotSigned));
    }
}

#[test]
fn cookies_verify() {
    for signer in &RING.signers {
        let policy = CustomPolicy::new(FOLDER, END).unwrap();
        for cookies in [signer.canned_cookies(URL, END).unwrap(), signer.custom_cookies(&policy).unwrap()] {
            let mut cookies: Vec<_> = cookies.iter().map(|(name, value)| (*name, value.as_str())).collect();
            cookies.push(("session", "x"));
            assert!(RING.verifier.verify_cookies(URL, &cookies, NOW, None).is_ok());
            let other = URL.replace("P45", "P456");
            assert!(RING.verifier.verify_cookies(&other, &cookies, NOW, None).is_err());
            cookies.push(("CloudFront-Key-Pair-Id", "KRSA1"));
            let twice = RING.verifier.verify_cookies(URL, &cookies, NOW, None);
            assert_eq!(twice, Err(Refused::Duplicate("CloudFront-Key-Pair-Id")));
        }
    }
    assert_eq!(RING.verifier.verify_cookies(URL, &[("session", "x")], NOW, None), Err(Refused::NotSigned));
}

#[test]
fn every_character_of_a_link_matters() {
    for (_, link) in links() {
        for (at, original) in link.char_indices() {
            for replacement in ['A', 'b', '0', '-', '_', '~', '&', '?', '=', '%', '*', '.'] {
                if replacement == original {
                    continue;
                }
                let changed = format!("{}{replacement}{}", &link[..at], &link[at + 1..]);
                let verified = RING.verifier.verify(&changed, NOW, None);
                // A custom policy covers the whole folder, so another object in it is fine.
                let still_covered = link.contains("Policy=") && at >= FOLDER.len() - 1 && at < URL.len();
                assert!(verified.is_err() || still_covered, "{changed}");
            }
        }
    }
}

#[test]
fn parameters_are_given_once_and_all() {
    for (_, link) in links() {
        let (base, query) = link.split_once('&').unwrap();
        let pieces: Vec<&str> = query.split('&').collect();
        for (at, piece) in pieces.iter().enumerate() {
            let name = piece.split('=').next().unwrap();
            let without: Vec<&str> = [&pieces[..at], &pieces[at + 1..]].concat();
            let without = format!("{base}&{}", without.join("&"));
            let refused = RING.verifier.verify(&without, NOW, None).unwrap_err();
            let expected = match name {
                "Policy" | "Expires" => Refused::Missing("Expires"),
                "Signature" => Refused::Missing("Signature"),
                "Key-Pair-Id" => Refused::Missing("Key-Pair-Id"),
                _ => Refused::BadSignature,
            };
            assert_eq!(refused, expected, "{without}");
            let twice = RING.verifier.verify(&format!("{link}&{piece}"), NOW, None).unwrap_err();
            assert!(matches!(twice, Refused::Duplicate(twice) if twice == name), "{twice:?}");
        }
    }
}

#[test]
fn odd_links_are_refused() {
    let link = RING.signers[0].sign_canned(URL, END).unwrap();
    for (from, to, reason) in [
        ("=SHA256", "=SHA1", Refused::UnknownHash),
        ("=SHA256", "=sha256", Refused::UnknownHash),
        ("=SHA256", "=", Refused::UnknownHash),
        ("KRSA256", "KRSA2567", Refused::UnknownKey),
        ("KRSA256", "", Refused::Malformed("Key-Pair-Id")),
        ("KRSA256", "KEC256", Refused::BadSignature),
        ("Expires=1767290400", "Expires=1767290401", Refused::BadSignature),
        ("Expires=1767290400", "Expires=01767290400", Refused::Malformed("Expires")),
        ("Expires=1767290400", "Expires=", Refused::Malformed("Expires")),
        ("Signature=", "Signature=A", Refused::Malformed("Signature")),
        ("Expires=", "Policy=AAAA&Expires=", Refused::BothPolicies),
        ("Expires=1767290400", "Policy=AAAA", Refused::BadSignature),
        ("Expires=1767290400", "Policy=AAA=", Refused::Malformed("Policy")),
        ("/P45/", "/p45/", Refused::BadSignature),
        ("https:", "http:", Refused::BadSignature),
        ("q=1", "q=1&r=2", Refused::BadSignature),
        ("q=1&", "", Refused::BadSignature),
    ] {
        let changed = link.replacen(from, to, 1);
        assert_ne!(changed, link);
        assert_eq!(RING.verifier.verify(&changed, NOW, None), Err(reason), "{changed}");
    }
}

#[test]
fn a_signer_refuses_a_url_outside_the_policy() {
    let policy = CustomPolicy::new(FOLDER, END).unwrap();
    let sibling = URL.replace("P45", "P456");
    assert_eq!(RING.signers[0].sign_custom(&sibling, &policy), Err(SignError::OutsidePolicy));
    let once = RING.signers[0].sign_custom(URL, &policy).unwrap();
    assert_eq!(RING.signers[0].sign_custom(&once, &policy), Err(SignError::ReservedParameter));
}

#[test]
fn a_star_in_a_canned_link_is_just_a_star() {
    let link = RING.signers[2].sign_canned("https://h/a/*", END).unwrap();
    assert!(RING.verifier.verify(&link, NOW, None).is_ok());
    assert_eq!(RING.verifier.verify(&link.replace('*', "x"), NOW, None), Err(Refused::BadSignature));
}

#[test]
fn signers_are_shared_between_threads() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    for (_, link) in links() {
                        assert!(RING.verifier.verify(&link, NOW, None).is_ok());
                    }
                }
            });
        }
    });
}

#[test]
fn secrets_are_not_printed() {
    let text = format!("{:?} {:?}", RING.signers, RING.verifier);
    assert!(!text.contains("BEGIN") && text.len() < 1500, "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_folder_never_opens_its_siblings(package in 0..5000_u32, other in 0..5000_u32, tail in "[a-z0-9/._-]{0,20}") {
        let signer = &RING.signers[2];
        let folder = |id: u32| format!("https://h.example/O1/D2/P{id}/");
        let policy = CustomPolicy::new(format!("{}*", folder(package)), END).unwrap();
        let query = signer.custom_query(&policy).unwrap();
        let link = format!("{}{tail}?{query}", folder(other));
        prop_assert_eq!(RING.verifier.verify(&link, NOW, None).is_ok(), package == other);
    }

    #[test]
    fn any_url_that_is_signed_verifies(path in "[A-Za-z0-9~._/!$'()*,;:@-]{0,40}", query in "([a-z]{1,3}=[a-z%20]{0,3}&)*[a-z]=1") {
        let url = format!("https://h.example/{path}?{query}");
        if let Ok(link) = RING.signers[2].sign_canned(&url, END) {
            prop_assert!(RING.verifier.verify(&link, NOW, None).is_ok(), "{}", link);
        }
    }

    #[test]
    fn no_text_makes_the_verifier_panic(url in any::<String>(), query in "[A-Za-z=&?_~-]{0,80}") {
        prop_assert!(RING.verifier.verify(&url, NOW, None).is_err());
        let url = format!("https://h/?Policy={query}&Signature={query}&Key-Pair-Id=KRSA1");
        prop_assert!(RING.verifier.verify(&url, NOW, None).is_err());
        let cookies = [("CloudFront-Policy", query.as_str()), ("CloudFront-Signature", url.as_str())];
        prop_assert!(RING.verifier.verify_cookies(&url, &cookies, NOW, None).is_err());
    }

    #[test]
    fn ids_are_plain(id in any::<String>()) {
        if let Ok(id) = KeyPairId::new(id) {
            prop_assert!(id.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
    }
}
