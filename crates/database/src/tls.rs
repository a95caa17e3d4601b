//! TLS to the database: the server needs a certificate for its host name from one of the system's certificate authorities,
//! those of Amazon RDS, or one that the operator names.
//!
//! RDS Proxy has certificates of AWS Certificate Manager, whose roots are in the system's. A database instance has a
//! certificate of its region's RDS authority, which is not.

use std::{path::Path, sync::OnceLock};

use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Error;
use aws::tls;

/// The certificate authorities of Amazon RDS (Amazon RDS User Guide, "Using SSL/TLS to encrypt a connection"), in PEM.
const RDS_AUTHORITIES_PEM: &[u8] = include_bytes!("rds-ca.pem");

/// Builds the TLS connector when the first connection is opened: the authorities take some milliseconds to read.
pub(crate) struct TlsConnector {
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    extra_authorities: Vec<CertificateDer<'static>>,
    connector: OnceLock<MakeRustlsConnect>,
}

impl TlsConnector {
    /// Reads the file now: a wrong path stops the start, not the first request.
    pub(crate) fn new(extra_ca_file: Option<&Path>) -> Result<Self, Error> {
        let builder =
            tls::client_config_builder().map_err(|error| Error::Misconfigured(error.to_string()))?;
        let extra_authorities = extra_ca_file.map(read_certificates).transpose()?.unwrap_or_default();
        Ok(Self { builder, extra_authorities, connector: OnceLock::new() })
    }

    pub(crate) fn get(&self) -> MakeRustlsConnect {
        let build = || {
            let config =
                self.builder.clone().with_root_certificates(self.build_roots()).with_no_client_auth();
            MakeRustlsConnect::new(config)
        };
        self.connector.get_or_init(build).clone()
    }

    fn build_roots(&self) -> RootCertStore {
        let mut roots = tls::system_roots().clone();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(RDS_AUTHORITIES_PEM).flatten());
        roots.add_parsable_certificates(self.extra_authorities.iter().cloned());
        roots
    }
}

/// Reads the certificates in a PEM file. There must be at least one.
fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let failed = |why: String| Error::Misconfigured(format!("CA file {}: {why}", path.display()));
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
    let certificates: Vec<_> =
        certificates.collect::<Result<_, _>>().map_err(|error| failed(error.to_string()))?;
    let (_, unusable) = RootCertStore::empty().add_parsable_certificates(certificates.iter().cloned());
    if certificates.is_empty() || unusable > 0 {
        return Err(failed("it must have certificates in PEM".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn every_rds_authority_is_valid() {
        let certificates: Vec<_> =
            CertificateDer::pem_slice_iter(RDS_AUTHORITIES_PEM).collect::<Result<_, _>>().unwrap();
        assert_eq!(certificates.len(), RDS_AUTHORITIES);
        let used = RootCertStore::empty().add_parsable_certificates(certificates);
        assert_eq!(used, (RDS_AUTHORITIES, 0));
    }

    const RDS_AUTHORITIES: usize = 87;

    #[test]
    fn an_extra_authority_is_added() {
        let extra = rcgen::generate_simple_self_signed(["ca.test".to_owned()]).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(extra.cert.pem().as_bytes()).unwrap();
        let without = TlsConnector::new(None).unwrap().build_roots().len();
        assert!(without >= RDS_AUTHORITIES);
        assert_eq!(TlsConnector::new(Some(file.path())).unwrap().build_roots().len(), without + 1);
    }

    #[test]
    fn a_file_without_certificates_is_refused_at_once() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let refused = |path: &Path| TlsConnector::new(Some(path)).err().map(|error| error.to_string());
        assert!(refused(file.path()).is_some_and(|why| why.contains("must have certificates")));
        file.write_all(b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n").unwrap();
        assert!(refused(file.path()).is_some());
        assert!(refused(Path::new("/no/such/file")).is_some_and(|why| why.contains("/no/such/file")));
    }
}
