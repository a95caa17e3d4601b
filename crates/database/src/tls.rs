//! Which servers are believed to be the database: those with a certificate for their host name from the system's
//! certificate authorities, from those of Amazon RDS, or from one that the operator names.
//!
//! RDS Proxy has certificates of AWS Certificate Manager, whose roots the system has; a database instance has one of its
//! region's RDS authority, which no system has.

use std::{path::Path, sync::OnceLock};

use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Error;
use aws::tls;

/// The certificate authorities of Amazon RDS.
const RDS: &[u8] = include_bytes!("rds-ca.pem");

/// How to make sure of a server. What that takes is read when the first connection is made.
pub(crate) struct Trust {
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    extra: Vec<CertificateDer<'static>>,
    connector: OnceLock<MakeRustlsConnect>,
}

impl Trust {
    /// The file is read now, so that a wrong path stops the start and not the first request.
    pub(crate) fn new(extra_ca_file: Option<&Path>) -> Result<Self, Error> {
        let builder =
            tls::client_config_builder().map_err(|error| Error::Misconfigured(error.to_string()))?;
        let extra = extra_ca_file.map(read).transpose()?.unwrap_or_default();
        Ok(Self { builder, extra, connector: OnceLock::new() })
    }

    pub(crate) fn connector(&self) -> MakeRustlsConnect {
        let build = || {
            let config = self.builder.clone().with_root_certificates(self.roots()).with_no_client_auth();
            MakeRustlsConnect::new(config)
        };
        self.connector.get_or_init(build).clone()
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = tls::system_roots().clone();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(RDS).flatten());
        roots.add_parsable_certificates(self.extra.iter().cloned());
        roots
    }
}

/// The certificates in a PEM file; at least one.
fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let failed = |why: String| Error::Misconfigured(format!("CA file {}: {why}", path.display()));
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
    let certificates: Vec<_> =
        certificates.collect::<Result<_, _>>().map_err(|error| failed(error.to_string()))?;
    let (_, unusable) = RootCertStore::empty().add_parsable_certificates(certificates.iter().cloned());
    if certificates.is_empty() || unusable > 0 {
        return Err(failed("it must hold certificates, in PEM".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn every_rds_authority_can_be_used() {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(RDS).collect::<Result<_, _>>().unwrap();
        assert_eq!(certificates.len(), RDS_AUTHORITIES);
        let used = RootCertStore::empty().add_parsable_certificates(certificates);
        assert_eq!(used, (RDS_AUTHORITIES, 0));
    }

    const RDS_AUTHORITIES: usize = 87;

    #[test]
    fn an_extra_authority_is_one_more() {
        let extra = rcgen::generate_simple_self_signed(["ca.test".to_owned()]).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(extra.cert.pem().as_bytes()).unwrap();
        let without = Trust::new(None).unwrap().roots().len();
        assert!(without >= RDS_AUTHORITIES);
        assert_eq!(Trust::new(Some(file.path())).unwrap().roots().len(), without + 1);
    }

    #[test]
    fn a_file_that_names_nobody_is_refused_at_once() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let refused = |path: &Path| Trust::new(Some(path)).err().map(|error| error.to_string());
        assert!(refused(file.path()).is_some_and(|why| why.contains("must hold certificates")));
        file.write_all(b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n").unwrap();
        assert!(refused(file.path()).is_some());
        assert!(refused(Path::new("/no/such/file")).is_some_and(|why| why.contains("/no/such/file")));
    }
}
