//! Objects under boto3: encryption, checksums, parts.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use provision_sandbox::EmulatorKind;

use super::{boto3, sandbox};

#[test]
fn object_is_encrypted_as_was_asked_when_it_was_written() {
    let printed = boto3(
        &sandbox(),
        "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
def shown(answer): return answer.get('ServerSideEncryption'), answer.get('SSEKMSKeyId'), answer.get('BucketKeyEnabled')
def head(key): return shown(s3.head_object(Bucket='mine', Key=key))
print(shown(s3.put_object(Bucket='mine', Key='plain', Body=b'x')))
print(shown(s3.put_object(Bucket='mine', Key='asked', Body=b'x', ServerSideEncryption='aws:kms', SSEKMSKeyId='k1')))
rule = {'ApplyServerSideEncryptionByDefault': {'SSEAlgorithm': 'aws:kms', 'KMSMasterKeyID': 'k2'}, 'BucketKeyEnabled': True}
s3.put_bucket_encryption(Bucket='mine', ServerSideEncryptionConfiguration={'Rules': [rule]})
print(shown(s3.put_object(Bucket='mine', Key='default', Body=b'x')), head('default'), head('plain'))
print(shown(s3.copy_object(Bucket='mine', Key='copy', CopySource='mine/asked')), head('copy'))
print(shown(s3.copy_object(Bucket='mine', Key='copy', CopySource='mine/default', ServerSideEncryption='AES256')), head('copy'))
print(code(s3.copy_object, Bucket='mine', Key='copy', CopySource='mine/copy'), code(s3.copy_object, Bucket='mine', Key='copy', CopySource='mine/copy', ServerSideEncryption='aws:kms', SSEKMSKeyId='k3'), head('copy'))
upload = s3.create_multipart_upload(Bucket='mine', Key='p', ServerSideEncryption='aws:kms', SSEKMSKeyId='k4')
part = s3.upload_part(Bucket='mine', Key='p', UploadId=upload['UploadId'], PartNumber=1, Body=b'x')
print(shown(upload)[:2], shown(part)[:2])
print([code(s3.put_object, Bucket='mine', Key='bad', **more) for more in [{'ServerSideEncryption': 'AES256', 'SSEKMSKeyId': 'k'}, {'SSEKMSKeyId': 'k'}, {'ServerSideEncryption': 'aes'}]])",
    );
    assert_eq!(
        printed,
        [
            "('AES256', None, None)",
            "('aws:kms', 'k1', None)",
            "('aws:kms', 'k2', True) ('aws:kms', 'k2', True) ('AES256', None, None)",
            "('aws:kms', 'k2', True) ('aws:kms', 'k2', True)",
            "('AES256', None, None) ('AES256', None, None)",
            "InvalidRequest OK ('aws:kms', 'k3', True)",
            "('aws:kms', 'k4') ('aws:kms', 'k4')",
            "['InvalidArgument', 'InvalidArgument', 'InvalidArgument']",
        ]
    );
}

#[test]
fn object_of_parts_has_their_checksum_and_is_read_by_them() {
    let printed = boto3(
        &sandbox(),
        "import base64, hashlib
s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
bodies = [b'a' * (5 << 20), b'b' * 3]
def sha(data): return hashlib.sha256(data).digest()
whole = base64.b64encode(sha(b''.join(map(sha, bodies)))).decode() + '-2'
upload = {'Bucket': 'mine', 'Key': 'k', 'UploadId': s3.create_multipart_upload(Bucket='mine', Key='k', ChecksumAlgorithm='SHA256')['UploadId']}
sent = [s3.upload_part(**upload, PartNumber=n + 1, Body=body, ChecksumAlgorithm='SHA256') for n, body in enumerate(bodies)]
parts = [{'PartNumber': n + 1, 'ETag': part['ETag'], 'ChecksumSHA256': part['ChecksumSHA256']} for n, part in enumerate(sent)]
open = s3.list_multipart_uploads(Bucket='mine')['Uploads'][0]
print(open['Initiator']['ID'], open['Owner']['ID'])
print(code(s3.complete_multipart_upload, **upload, MultipartUpload={'Parts': parts}, ChecksumSHA256='bad'))
done = s3.complete_multipart_upload(**upload, MultipartUpload={'Parts': parts}, ChecksumSHA256=whole)
print(done['ChecksumSHA256'] == whole, done['ChecksumType'])
head = s3.head_object(Bucket='mine', Key='k', ChecksumMode='ENABLED')
print(head['ChecksumSHA256'] == whole, head['ChecksumType'])
second = s3.get_object(Bucket='mine', Key='k', PartNumber=2)
print(second['Body'].read(), second['ContentRange'], second['PartsCount'], s3.head_object(Bucket='mine', Key='k', PartNumber=1)['ContentLength'])
print(code(s3.get_object, Bucket='mine', Key='k', PartNumber=3), code(s3.get_object, Bucket='mine', Key='k', PartNumber=1, Range='bytes=0-1'))
copy = s3.copy_object(Bucket='mine', Key='copy', CopySource='mine/k', ChecksumAlgorithm='CRC32') and s3.head_object(Bucket='mine', Key='copy', ChecksumMode='ENABLED')
print(copy['ChecksumType'], 'ChecksumCRC32' in copy, code(s3.create_multipart_upload, Bucket='mine', Key='k', ChecksumAlgorithm='SHA1', ChecksumType='FULL_OBJECT'))
s3.put_object(Bucket='mine', Key='coded', ContentEncoding='deflate, gzip')
print(s3.head_object(Bucket='mine', Key='coded')['ContentEncoding'])",
    );
    assert_eq!(
        printed,
        [
            "arn:aws:iam::123456789012:user/sandbox 123456789012",
            "BadDigest",
            "True COMPOSITE",
            "True COMPOSITE",
            "b'bbb' bytes 5242880-5242882/5242883 2 5242880",
            "InvalidPartNumber InvalidRequest",
            "FULL_OBJECT True InvalidRequest",
            "deflate, gzip",
        ]
    );
}

#[test]
fn version_that_is_gone_is_deleted_again_and_metadata_comes_back_encoded() {
    let printed = boto3(
        &sandbox(),
        "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
s3.put_bucket_versioning(Bucket='mine', VersioningConfiguration={'Status': 'Enabled'})
one = {'Key': 'k', 'VersionId': s3.put_object(Bucket='mine', Key='k')['VersionId']}
def delete(one): return [sorted(key for key in answer if key in ['Deleted', 'Errors']) for answer in [s3.delete_objects(Bucket='mine', Delete={'Objects': [one]})]]
print(delete(one), delete(one), delete({**one, 'VersionId': one['VersionId'][::-1]}))
s3.meta.events.register('before-call.s3.PutObject', lambda params, **_: params['headers'].update({'x-amz-meta-who': 'Zo' + chr(235)}))
s3.put_object(Bucket='mine', Key='k')
print(s3.head_object(Bucket='mine', Key='k')['Metadata']['who'])",
    );
    assert_eq!(printed, ["[['Deleted']] [['Deleted']] [['Errors']]", "=?UTF-8?B?Wm/Dg8Kr?="]);
}

/// A part that is sent again takes the place of the first; one that is named twice is out of order.
#[test]
fn parts_are_named_once_and_in_order() {
    let printed = boto3(
        &sandbox(),
        "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
upload = {'Bucket': 'mine', 'Key': 'k', 'UploadId': s3.create_multipart_upload(Bucket='mine', Key='k')['UploadId']}
first, again = [{'PartNumber': 1, 'ETag': s3.upload_part(**upload, PartNumber=1, Body=body)['ETag']} for body in (b'old', b'new')]
print([code(s3.complete_multipart_upload, **upload, MultipartUpload={'Parts': parts}) for parts in ([again, again], [first, again], [first])])
s3.complete_multipart_upload(**upload, MultipartUpload={'Parts': [again]})
print(s3.get_object(Bucket='mine', Key='k')['Body'].read())",
    );
    assert_eq!(printed, ["['InvalidPartOrder', 'InvalidPartOrder', 'InvalidPart']", "b'new'"]);
}

/// A client that asks first sends nothing until it is told to (<https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1>).
#[test]
fn body_is_asked_for_where_a_client_waits_with_it() {
    let sandbox = sandbox();
    let mut stream = TcpStream::connect(sandbox.address(EmulatorKind::Aws).unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head =
        "PUT /mine/k HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).unwrap();
    assert_eq!(asked, *b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"x").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 40"), "{answer}");
}
