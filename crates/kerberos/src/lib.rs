//! Kerberos tickets by the GSSAPI library of the host, loaded when it is needed.
