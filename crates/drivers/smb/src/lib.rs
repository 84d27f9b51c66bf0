//! SMB 2.1 to 3.1.1: shares of Windows, Samba and filers, as a store.
