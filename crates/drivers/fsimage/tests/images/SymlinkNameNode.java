import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.hdfs.server.namenode.NameNode;

/** A NameNode that takes symbolic links, which HDFS has and keeps switched off. */
public class SymlinkNameNode {
  public static void main(String[] args) throws Exception {
    FileSystem.enableSymlinks();
    NameNode.main(args);
  }
}
