//! SHA-1 signatures, which CloudFront assumes unless a link has `Hash-Algorithm=SHA256`.
//!
//! The safe API of `aws-lc-rs` does not make them, because collisions of SHA-1 are practical. This is the only module
//! with `unsafe` code. It calls AWS-LC, which `aws-lc-rs` is built on, through the few functions that parse a key,
//! sign and verify. A guard owns and frees every pointer from C.
#![expect(unsafe_code, reason = "AWS-LC's SHA-1 signatures are reachable through its C interface only")]

use std::ptr::{self, NonNull};

use aws_lc_sys as c;

/// A private or public key, parsed once. RSA keys sign with PKCS#1 v1.5, ECDSA keys write DER.
pub(super) struct Sha1Key(NonNull<c::EVP_PKEY>);

// SAFETY: AWS-LC's evp.h lets several threads use one `EVP_PKEY` at once in functions that do not mutate it, and
// nothing here mutates it after it was parsed. Its reference count is atomic and it is tied to no thread.
unsafe impl Send for Sha1Key {}
// SAFETY: as above; `&Sha1Key` permits signing and verifying only.
unsafe impl Sync for Sha1Key {}

impl Drop for Sha1Key {
    fn drop(&mut self) {
        // SAFETY: the pointer came from AWS-LC, is owned by this guard alone and is not used afterwards.
        unsafe { c::EVP_PKEY_free(self.0.as_ptr()) }
    }
}

/// A digest context for one signature.
struct DigestContext(NonNull<c::EVP_MD_CTX>);

impl DigestContext {
    fn new() -> Option<Self> {
        // SAFETY: the function has no preconditions; it returns null when out of memory.
        NonNull::new(unsafe { c::EVP_MD_CTX_new() }).map(Self)
    }
}

impl Drop for DigestContext {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `EVP_MD_CTX_new` and is owned by this guard alone.
        unsafe { c::EVP_MD_CTX_free(self.0.as_ptr()) }
    }
}

impl Sha1Key {
    /// Parses an unencrypted PKCS#8 private key.
    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let mut input = byte_cursor(der);
        // SAFETY: `input` describes `der`, which outlives the call; the result is a new reference or null.
        NonNull::new(unsafe { c::EVP_parse_private_key(&raw mut input) }).map(Self)
    }

    /// Parses a `SubjectPublicKeyInfo`.
    pub(super) fn from_spki(der: &[u8]) -> Option<Self> {
        let mut input = byte_cursor(der);
        // SAFETY: `input` describes `der`, which outlives the call; the result is a new reference or null.
        NonNull::new(unsafe { c::EVP_parse_public_key(&raw mut input) }).map(Self)
    }

    /// Signs `message`. `None` if AWS-LC fails: out of memory, or the key is not a private key.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let context = DigestContext::new()?;
        let (key, no_context, no_engine) = (self.0.as_ptr(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: context and key are live; `EVP_sha1` returns a static; the two optional arguments may be null.
        // The key is only read, and its reference count, which is atomic, rises for the life of the context.
        let ready =
            unsafe { c::EVP_DigestSignInit(context.0.as_ptr(), no_context, c::EVP_sha1(), no_engine, key) };
        if ready != 1 {
            return None;
        }
        // SAFETY: the key is live; the result is the maximum length of a signature.
        let max_length = unsafe { c::EVP_PKEY_size(key) };
        let mut signature = vec![0; usize::try_from(max_length).ok()?];
        let mut length = signature.len();
        // SAFETY: `length` holds the size of the buffer that `signature` points to, and `message` is a live slice
        // with its own length. AWS-LC writes at most `length` bytes and then stores how many.
        let signed = unsafe {
            c::EVP_DigestSign(
                context.0.as_ptr(),
                signature.as_mut_ptr(),
                &raw mut length,
                message.as_ptr(),
                message.len(),
            )
        };
        // A DER signature is often shorter than the maximum.
        signature.truncate(length);
        (signed == 1).then_some(signature)
    }

    /// Whether `signature` is a signature of `message` by this key.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Some(context) = DigestContext::new() else { return false };
        let (key, no_context, no_engine) = (self.0.as_ptr(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: as in `sign`.
        let ready =
            unsafe { c::EVP_DigestVerifyInit(context.0.as_ptr(), no_context, c::EVP_sha1(), no_engine, key) };
        // SAFETY: the context was initialised, and both slices are live and passed with their own lengths.
        ready == 1
            && 1 == unsafe {
                c::EVP_DigestVerify(
                    context.0.as_ptr(),
                    signature.as_ptr(),
                    signature.len(),
                    message.as_ptr(),
                    message.len(),
                )
            }
    }
}

/// A cursor over `bytes`. It must not outlive them: the callers above use it within one function.
fn byte_cursor(bytes: &[u8]) -> c::CBS {
    c::CBS { data: bytes.as_ptr(), len: bytes.len() }
}
