//! HDFS, as a store: names from the NameNode, bytes from the DataNodes.
